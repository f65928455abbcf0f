"""Checkpoints of a state of a few numbers."""

from pathlib import Path

import jax.numpy as jnp

from elbow_jax.optimizer import sgd
from elbow_jax.steps import create_state
from elbow_jax.training.checkpoints import Checkpoints


def state_of(value, width=3):
    variables = {"params": {"head": {"kernel": jnp.full(width, value)}}, "batch_stats": {}}
    return create_state(variables, sgd(lambda step: 0.1, 0.9, 1e-3), seed=1)


def saved_steps(directory):
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit())


def restore_latest(directory):
    with Checkpoints(directory) as checkpoints:
        restored = checkpoints.restore_latest(state_of(0.0))
    assert restored is not None
    return restored[0]


def largest_arrays(checkpoint: Path) -> Path:
    """Return the largest file of arrays of a checkpoint."""
    files = (checkpoint / "state").rglob("d/*")
    return max(files, key=lambda file: file.stat().st_size)


def flipped(content: bytes) -> bytes:
    """Return the content with its middle byte inverted."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
