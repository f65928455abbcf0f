"""Scores from trained networks: the released model on disk, a predictor, scores of a split.

`read_released` opens the `model/` folder of a finished run, `images_seen_by` says what it learnt
from, and `freeze_abstention` adds thresholds that leave images to the reader. `Predictor` scores
batches with it, and `predict_split` scores a split of prepared data. `score_batches` serves
training too.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.scoring.batches import score_batches, sigmoid
    from elbow_jax.scoring.card import ModelCard, card_text
    from elbow_jax.scoring.predictor import Predictor
    from elbow_jax.scoring.released import (
        ReleasedModel,
        freeze_abstention,
        images_seen_by,
        read_card,
        read_released,
        write_released,
    )
    from elbow_jax.scoring.splits import predict_split
    from elbow_jax.scoring.stablehlo import stablehlo_mark, write_stablehlo

__all__ = [
    "ModelCard",
    "Predictor",
    "ReleasedModel",
    "card_text",
    "freeze_abstention",
    "images_seen_by",
    "predict_split",
    "read_card",
    "read_released",
    "score_batches",
    "sigmoid",
    "stablehlo_mark",
    "write_released",
    "write_stablehlo",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["score_batches", "sigmoid"],
        "card": ["ModelCard", "card_text"],
        "predictor": ["Predictor"],
        "released": [
            "ReleasedModel",
            "freeze_abstention",
            "images_seen_by",
            "read_card",
            "read_released",
            "write_released",
        ],
        "splits": ["predict_split"],
        "stablehlo": ["stablehlo_mark", "write_stablehlo"],
    },
)
