"""Workloads, one per file."""
