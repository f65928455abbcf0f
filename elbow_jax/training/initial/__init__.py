"""What a run begins with: weights, and the images that they learnt from."""

from elbow_jax.training.initial.leakage import (
    find_leaked_near_duplicates,
    refuse_leakage,
    seen_before,
)
from elbow_jax.training.initial.weights import (
    InitialWeights,
    missing_weights,
    read_initial_weights,
    stated_architecture,
)

__all__ = [
    "InitialWeights",
    "find_leaked_near_duplicates",
    "missing_weights",
    "read_initial_weights",
    "refuse_leakage",
    "seen_before",
    "stated_architecture",
]
