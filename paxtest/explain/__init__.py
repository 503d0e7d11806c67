"""Tell a counterexample in prose."""
