"""Learning curves of JAX and PyTorch, side by side: `python -m benchmarks.learning`."""
