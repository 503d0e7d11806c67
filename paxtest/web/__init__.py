"""Browse the store."""
