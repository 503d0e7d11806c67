"""Where nodes come from, and the systems that run on them."""
