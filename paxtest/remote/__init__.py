"""A shell on a node: local, docker or ssh."""
