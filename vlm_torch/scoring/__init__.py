"""Answers, probabilities and predictions of a fine-tuned model.

`predict` writes the predictions of a run on a split, `predict_external` those of a model on other
data, with their report. `injury_probability`, `generate_answers` and
`parse_answer` score, generate and parse answers for images in memory.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from vlm_torch.scoring.answering import generate_answers, injury_probability, parse_answer
    from vlm_torch.scoring.external import predict_external
    from vlm_torch.scoring.split import predict

__all__ = [
    "generate_answers",
    "injury_probability",
    "parse_answer",
    "predict",
    "predict_external",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "answering": ["generate_answers", "injury_probability", "parse_answer"],
        "external": ["predict_external"],
        "split": ["predict"],
    },
)
