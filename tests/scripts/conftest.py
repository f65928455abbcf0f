"""JAX and PyTorch as the tests of this folder need them."""

from tests.support.frameworks import configure_jax, configure_torch

configure_jax()
configure_torch()
