"""Files in, scores out: JAX against PyTorch, `python -m benchmarks.scoring`."""
