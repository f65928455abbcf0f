"""Forms of convolutions, products and calls for XLA on a CPU; README.md describes each.

`elbow_jax.ops` chooses them; networks never import them. `available_cores` counts this process's
cores.
"""

from elbow_jax.ops.cpu.cores import available_cores

__all__ = ["available_cores"]
