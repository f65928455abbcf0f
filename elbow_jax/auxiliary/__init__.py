"""Auxiliary targets of training: what a radiograph shows and where, beside its label.

One bit an image teaches a network slowly what a fracture is. `AuxiliaryTargets` reads body part,
finding and place from prepared data; small heads on the network's features predict them in training
(`auxiliary_loss`), and are not part of the released model (`without_heads`).
"""

from elbow_jax.auxiliary.heads import (
    HEADS,
    auxiliary_loss,
    initial_heads,
    without_heads,
)
from elbow_jax.auxiliary.targets import AuxiliaryTargets, read_targets

__all__ = [
    "HEADS",
    "AuxiliaryTargets",
    "auxiliary_loss",
    "initial_heads",
    "read_targets",
    "without_heads",
]
