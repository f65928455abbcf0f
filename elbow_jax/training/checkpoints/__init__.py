"""Training states on disk: written whole, checked when they are read."""

from elbow_jax.training.checkpoints.integrity import CheckpointError
from elbow_jax.training.checkpoints.manager import Checkpoints, has_checkpoint, size_of

__all__ = ["CheckpointError", "Checkpoints", "has_checkpoint", "size_of"]
