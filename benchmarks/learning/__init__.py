"""Learning curves of JAX and PyTorch from equal weights: `python -m benchmarks.learning`."""
