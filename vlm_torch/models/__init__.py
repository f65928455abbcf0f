"""The two models that are tuned."""
