"""Ratios measured in one run: `make bench`. Figures in ms are rows here, never assertions in a test."""
