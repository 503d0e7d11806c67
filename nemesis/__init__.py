"""Fault families, one per file."""
