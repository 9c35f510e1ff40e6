"""Bank statements, imported once."""
