"""Front of the native core, and the checkers written in Python."""
