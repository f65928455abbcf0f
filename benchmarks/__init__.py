"""Benchmarks: JAX against PyTorch, the data path, compile time, and learning curves."""
