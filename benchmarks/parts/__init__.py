"""What the benchmarks of the reference server share. No benchmark by itself."""
