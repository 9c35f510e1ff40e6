"""CodeTether on Temporal: coding agents whose every decision survives a crash."""

__version__ = "0.1.0"
