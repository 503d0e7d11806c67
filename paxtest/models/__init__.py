"""Sequential specifications: names of the native ones, and the base for Python ones."""
