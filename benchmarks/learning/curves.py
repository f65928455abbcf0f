"""The learning curve of one framework, recorded in the same form by both trainers."""

import time
from typing import Any

import numpy as np

from elbow_core.evaluation.statistics import auroc, score_intervals


class Curve:
    """Training loss by step and validation AUROC by epoch of one framework."""

    def __init__(self, framework: str):
        self.framework = framework
        self.loss: list[float] = []
        self.auroc: list[float] = []
        self._started = time.monotonic()

    def add_epoch(self, labels: np.ndarray, scores: np.ndarray) -> None:
        """Add the validation AUROC after an epoch and print it."""
        self.auroc.append(auroc(labels, scores))
        self._latest = labels, scores
        print(
            f"{self.framework}: epoch {len(self.auroc)}  loss {self.loss[-1]:.4f}  "
            f"AUROC {self.auroc[-1]:.4f}",
            flush=True,
        )

    def to_record(self) -> dict[str, Any]:
        """The curve as JSON, with its seconds and the interval of the last AUROC."""
        seconds = time.monotonic() - self._started
        labels, scores = self._latest
        interval = score_intervals(labels, scores, np.arange(len(labels)), 2000, 0)["auroc"]
        return {
            "loss": self.loss,
            "auroc": self.auroc,
            "seconds": seconds,
            "interval": [interval.low, interval.high],
        }
