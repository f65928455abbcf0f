"""Scores from a released model: its files, a predictor, batches."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.scoring.predictor import Predictor
    from elbow_jax.scoring.released import ModelCard, ReleasedModel, read_released, write_released

__all__ = ["ModelCard", "Predictor", "ReleasedModel", "read_released", "write_released"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "released": ["ModelCard", "ReleasedModel", "read_released", "write_released"],
        "predictor": ["Predictor"],
    },
)
