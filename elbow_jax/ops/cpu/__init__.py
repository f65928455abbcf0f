"""Forms of convolutions, products and calls for XLA on a CPU; README.md describes each.

`elbow_jax.ops` and `elbow_jax.runtime` use them; networks never do.
"""
