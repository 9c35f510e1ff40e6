"""Logs, and the time as everything writes it."""
