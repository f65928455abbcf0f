"""What a model says of a radiograph, and what it is that says so."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

Answer = Literal["absent", "present", "undetermined"]
"""Of an injury. *Undetermined*: the model leaves the image to the reader."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What turns a score into an answer: one threshold, or two that leave images to the reader."""

    name: str
    """As the table of `elbow_jax.predict` names it."""
    absent_below: float
    """A score below it says: absent."""
    present_from: float
    """A score from it on says: present. Equal to `absent_below` for a single threshold."""

    def answer(self, score: float) -> Answer:
        """Return the answer of a score, P(injury) from 0 to 1."""
        if score >= self.present_from:
            return "present"
        return "absent" if score < self.absent_below else "undetermined"

    def __str__(self) -> str:
        if self.absent_below == self.present_from:
            return f"{self.name}: present from {self.present_from:.6g}"
        return f"{self.name}: absent below {self.absent_below:.6g}, present from " + (
            f"{self.present_from:.6g}, else left to the reader"
        )


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What identifies a model and the settings that change its results."""

    network: str
    """Architecture and variant of the network."""
    version: str
    """Release of this program."""
    weights_sha256: str
    """Of weights.safetensors, in hexadecimal."""
    card_sha256: str
    """Of model.json, which has the preprocessing and all thresholds."""
    labels: tuple[str, str]
    """The model's names of the classes normal and injury."""
    point: OperatingPoint
    method: str
    """Of the heat map, such as ``grad_cam``."""
    has_gate: bool
    """Whether the model has an input gate."""

    def settings(self) -> tuple[str, ...]:
        """Return everything that a result depends on, apart from the image, as texts.

        The program's release is left out: it may change without changing a result.
        """
        return (self.weights_sha256, self.card_sha256, str(self.point), self.method)

    def label(self, answer: Answer) -> str:
        """Return an answer in the model's own words."""
        return {"absent": self.labels[0], "present": self.labels[1]}.get(answer, "uncertain")


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a model says of one radiograph."""

    score: float
    """P(injury), 0 to 1, rounded to six decimals; not calibrated."""
    answer: Answer
    distance: float | None
    """Of the input gate: above 1 the image is unlike the training images. None without a gate."""
    heat: Float32[np.ndarray, "size size"]
    """Evidence for injury, never negative; it covers the whole radiograph."""
    grey: UInt8[np.ndarray, "height width"]
    """The radiograph, bone bright."""

    @property
    def is_unlike(self) -> bool:
        """Whether the input gate flags the image: its score may mean nothing."""
        return self.distance is not None and self.distance > 1
