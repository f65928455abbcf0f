"""Score radiographs one at a time with a released model, and make their heat maps."""

import hashlib
import importlib.metadata
from pathlib import Path

import numpy as np

from elbow_core.errors import ConfigError, UserError
from elbow_core.radiographs import decode_radiograph, memory_trouble, preprocess
from elbow_jax.scoring import ModelCard, Predictor, card_text, read_card, read_released
from reading_room.inference.findings import Algorithm, Finding, OperatingPoint
from reading_room.inference.heat_maps import HeatMapper
from reading_room.inference.operating_points import operating_point
from reading_room.inference.options import METHODS

_DISTRIBUTION = "elbow-radiographs"

DECIMALS = 6
"""Of a score, as in the table of `elbow_jax.predict`."""


class Classifier:
    """A released model in memory.

    Every image is a batch of its own: a neighbour in a batch would change the last digits of a
    score, and with them the bytes of an object whose UID stays.

    Args:
        folder: the `model` folder of a finished run.
        threshold: a name in the model's card, or a number from 0 to 1; None: the model's own.
        method: of the heat maps.

    Attributes:
        algorithm: what identifies the model and its settings.

    Raises:
        ConfigError: if the model is missing or damaged, or the threshold is unknown.
    """

    def __init__(
        self, folder: Path, threshold: str | None = None, method: str = METHODS[0]
    ) -> None:
        self._folder = folder
        released = read_released(folder)
        point = operating_point(released.card, threshold)
        self.algorithm = describe(released.card, point, method)
        self._preprocessing = released.card.preprocessing.model_dump()
        self._predictor = Predictor(released, 1)
        self._mapper = HeatMapper(released, method)

    def classify(self, data: bytes, name: str) -> Finding:
        """Return the finding of a radiograph file's bytes; ``name`` begins the text of an error.

        Raises:
            RadiographError: if it is no usable radiograph.
            MachineError: if memory is short.
            UserError: if the network gives nan or an infinite number.
        """
        grey = decode_radiograph(data, name)
        with memory_trouble(f"{name}: not enough memory to preprocess it"):
            pixels = preprocess(grey, **self._preprocessing)
        batch = {"image": pixels[None, ..., None], "position": np.zeros(1, np.int32)}
        _, scores, distances = self._predictor.judge([batch], lambda _: name)
        score = round(float(scores[0]), DECIMALS)
        return Finding(
            score,
            self.algorithm.point.answer(float(scores[0])),
            None if distances is None else float(distances[0]),
            self._mapper.heat(batch, name),
            grey,
        )

    def require_unchanged(self) -> None:
        """Raise `ConfigError` if the folder no longer holds the model that was read."""
        try:
            found = _card_digest(read_card(self._folder))
        except UserError as error:
            raise ConfigError(
                f"{error}; it was there when this command began: put it back, and give the same "
                "command again"
            ) from error
        if found != self.algorithm.card_sha256:
            raise ConfigError(
                f"{self._folder}: the model was replaced after this command had read it; give the "
                "same command again to score with the new one"
            )


def describe(card: ModelCard, point: OperatingPoint, method: str) -> Algorithm:
    """Return what identifies a model and its settings."""
    architecture = card.architecture
    members = "" if card.members is None else f", mean of {card.members}"
    try:
        version = importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        version = "unknown"
    return Algorithm(
        f"{architecture.backbone} ({architecture.variant}{members})",
        version,
        card.weights_sha256,
        _card_digest(card),
        card.labels,
        point,
        method,
        card.gate is not None,
    )


def _card_digest(card: ModelCard) -> str:
    return hashlib.sha256(card_text(card).encode()).hexdigest()
