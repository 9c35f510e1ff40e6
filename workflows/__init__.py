"""Workflows decide: references and decisions, never content and never I/O. One file per workflow."""
