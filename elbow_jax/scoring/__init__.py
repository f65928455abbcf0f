"""Scores from trained networks: the released model on disk, a predictor, scores of a split.

`read_released` opens the `model/` folder of a finished run, `images_seen_by` says what it learnt
from, `refuse_learnt_images` refuses to judge it there, and `freeze_abstention` adds thresholds that
leave images to the reader. `Predictor` scores batches with it, and `predict_split` scores a split
of prepared data. `score_batches` serves training too. A released model may be an ensemble, whose
variables are stacked; `read_single` refuses one. `fit_gate` makes the input gate of a model, and
`Predictor.judge` asks it.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.scoring.batches import score_batches, sigmoid
    from elbow_jax.scoring.card import (
        MAX_MEMBERS,
        EnsembleMember,
        EnsembleRecord,
        GateRecord,
        ModelCard,
        card_text,
    )
    from elbow_jax.scoring.ensembles import member_variables, stack_variables
    from elbow_jax.scoring.gate import (
        FALSE_ALARMS,
        FEWEST_IMAGES,
        fit_gate,
        make_feature_step,
    )
    from elbow_jax.scoring.learnt_images import refuse_learnt_images
    from elbow_jax.scoring.model_page import (
        PAGE,
        Figure,
        ReportedFigures,
        is_own_page,
        model_page,
    )
    from elbow_jax.scoring.predictor import Predictor, make_scoring_step
    from elbow_jax.scoring.released import (
        RELEASED_FILES,
        ReleasedModel,
        freeze_abstention,
        images_seen_by,
        read_card,
        read_released,
        read_single,
        write_released,
    )
    from elbow_jax.scoring.splits import predict_split
    from elbow_jax.scoring.stablehlo import stablehlo_mark, write_stablehlo
    from elbow_jax.scoring.tensors import most_bytes, traced_shapes

__all__ = [
    "FALSE_ALARMS",
    "FEWEST_IMAGES",
    "MAX_MEMBERS",
    "PAGE",
    "RELEASED_FILES",
    "EnsembleMember",
    "EnsembleRecord",
    "Figure",
    "GateRecord",
    "ModelCard",
    "Predictor",
    "ReleasedModel",
    "ReportedFigures",
    "card_text",
    "fit_gate",
    "freeze_abstention",
    "images_seen_by",
    "is_own_page",
    "make_feature_step",
    "make_scoring_step",
    "member_variables",
    "model_page",
    "most_bytes",
    "predict_split",
    "read_card",
    "read_released",
    "read_single",
    "refuse_learnt_images",
    "score_batches",
    "sigmoid",
    "stablehlo_mark",
    "stack_variables",
    "traced_shapes",
    "write_released",
    "write_stablehlo",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["score_batches", "sigmoid"],
        "card": [
            "MAX_MEMBERS",
            "EnsembleMember",
            "EnsembleRecord",
            "GateRecord",
            "ModelCard",
            "card_text",
        ],
        "ensembles": ["member_variables", "stack_variables"],
        "gate": ["FALSE_ALARMS", "FEWEST_IMAGES", "fit_gate", "make_feature_step"],
        "learnt_images": ["refuse_learnt_images"],
        "model_page": ["PAGE", "Figure", "ReportedFigures", "is_own_page", "model_page"],
        "predictor": ["Predictor", "make_scoring_step"],
        "released": [
            "RELEASED_FILES",
            "ReleasedModel",
            "freeze_abstention",
            "images_seen_by",
            "read_card",
            "read_released",
            "read_single",
            "write_released",
        ],
        "splits": ["predict_split"],
        "stablehlo": ["stablehlo_mark", "write_stablehlo"],
        "tensors": ["most_bytes", "traced_shapes"],
    },
)
