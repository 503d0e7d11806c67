"""Types of the native module."""

__version__: str
