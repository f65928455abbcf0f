"""What a run begins with: weights, and the images that they learnt from."""

from elbow_jax.training.initial.leakage import (
    find_leaked_near_duplicates,
    refuse_leakage,
    seen_before,
)
from elbow_jax.training.initial.weights import (
    InitialWeights,
    card_of_weights,
    missing_weights,
    read_initial_weights,
)

__all__ = [
    "InitialWeights",
    "card_of_weights",
    "find_leaked_near_duplicates",
    "missing_weights",
    "read_initial_weights",
    "refuse_leakage",
    "seen_before",
]
