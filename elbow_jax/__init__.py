"""The convolutional networks in JAX: pure functions of variables and images."""
