"""Released models in a running server: scores, answers and heat maps of one image at a time.

The only module of the reading room that imports `elbow_jax`.
"""

import hashlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from scipy.special import expit

from elbow_core.errors import ConfigError
from elbow_core.evaluation.statistics.calibration import log_odds
from elbow_core.radiographs import Preprocessing
from elbow_jax import explain, runtime, scoring, streaming
from elbow_jax.predict import answers_of, operating_point_of

JOIN = "mean of logits"
"""How the images of a study are joined: no model carries a join of its own."""
METHOD = "grad_cam"
_CARD = "model.json"
_SECONDS_BETWEEN_LOOKS = 1.0


def start_jax() -> None:
    """Set up the process and its devices, before the first model."""
    runtime.set_up_process()
    runtime.open_devices()


class Model:
    """A released model, compiled for single images.

    Its weights stay those that were loaded, whatever becomes of the folder: `replaced` tells.

    Args:
        folder: the `model` folder of a finished run.
        name: that the page shows.

    Raises:
        ConfigError: as `elbow_jax.scoring.read_released` does.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._stamp = _stamp(folder)
        released = scoring.read_released(folder)
        self.name = name
        self.card = released.card
        self._answer = answers_of(self.card, None)
        self._predictor = scoring.Predictor(released, batch_size=1)
        self._explainer: Any = None
        if self.card.ensemble is None:
            self._explainer = _explainer_of(released)
        self._looked = time.monotonic()
        self._replaced = False

    @property
    def preprocessing(self) -> Preprocessing:
        """From a radiograph to the network's input."""
        return self.card.preprocessing

    @property
    def explains(self) -> bool:
        """Whether the model gives heat maps; an ensemble gives none."""
        return self._explainer is not None

    def warm_up(self) -> None:
        """Compile, so that the first request does not wait."""
        size = self.preprocessing.size
        image = np.random.default_rng(0).integers(0, 256, (size, size)).astype(np.uint8)
        self.judge(image)
        if self.explains:
            self.heat_map(image)

    def judge(self, image: UInt8[np.ndarray, "size size"]) -> dict[str, Any]:
        """Return the score of a preprocessed image, its answer, and what the input gate says."""
        _, scores, distances = self._predictor.judge([_batch(image)])
        gate = ""
        if distances is not None:
            gate = streaming.UNLIKE if distances[0] > 1 else "ok"
        return {**self.answer(float(scores[0])), "gate": gate}

    def answer(self, score: float) -> dict[str, Any]:
        """Return a score with its answer: a label of the model, or `uncertain`."""
        return {
            "model": self.name,
            "score": score,
            "answer": self._answer(score),
            "operating_point": operating_point_of(self.card, None),
        }

    def join(self, scores: Sequence[float]) -> dict[str, Any]:
        """Return the score of a study and its answer, from the scores of its images.

        As `elbow_core.evaluation` joins: a study of one image keeps its score.
        """
        mean = scores[0] if len(scores) == 1 else float(expit(log_odds(np.array(scores)).mean()))
        return {**self.answer(mean), "join": JOIN, "images": len(scores)}

    def heat_map(self, image: UInt8[np.ndarray, "size size"]) -> bytes:
        """Return the evidence for injury as PNG: grey, 8 bits, the map's own maximum as 255."""
        found = next(iter(self._explainer.explain([_batch(image)], lambda _: "the image")))
        values: Float32[np.ndarray, "size size"] = found.maps[METHOD]
        highest = float(values.max())
        scaled = np.rint(values * (255 / highest)) if highest > 0 else np.zeros_like(values)
        return cv2.imencode(".png", scaled.astype(np.uint8))[1].tobytes()

    def replaced(self) -> bool:
        """Say whether the folder holds another card than when the model was loaded, or none.

        It is looked at once a second at most; the first time a line on standard error tells it.
        """
        now = time.monotonic()
        if not self._replaced and now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            self._replaced = _stamp(self._folder) != self._stamp
            if self._replaced:
                print(
                    f"{self.name}: the model on disk was replaced or removed; the one that was "
                    "loaded is still served; start the server again to serve the new one",
                    file=sys.stderr,
                    flush=True,
                )
        return self._replaced

    def description(self) -> dict[str, Any]:
        """Return what a client may know of the model."""
        card, abstention = self.card, self.card.abstention
        left = None
        if abstention is not None:
            left = {
                "normal_below": abstention.normal_below,
                "injury_from": abstention.injury_from,
                "most_missed": abstention.most_missed,
                "most_false_alarms": abstention.most_false_alarms,
                "confidence": abstention.confidence,
            }
        return {
            "name": self.name,
            "weights_sha256": card.weights_sha256,
            "card_sha256": hashlib.sha256(scoring.card_text(card).encode()).hexdigest(),
            "network": card.architecture.backbone,
            "members": card.members or 1,
            "labels": list(card.labels),
            "thresholds": dict(card.thresholds),
            "abstention": left,
            "gate": card.gate is not None,
            "heat_map": self.explains,
            "replaced": self.replaced(),
        }


class Models:
    """The models of a server, used by one thread at a time."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = list(models)
        self._lock = threading.Lock()

    @property
    def preprocessing(self) -> list[Preprocessing]:
        """Of each model."""
        return [model.preprocessing for model in self.models]

    def judge(self, images: Sequence[UInt8[np.ndarray, "_ _"]]) -> list[dict[str, Any]]:
        """Return what each model says to its own input."""
        with self._lock:
            return [model.judge(image) for model, image in zip(self.models, images, strict=True)]

    def heat_map(self, number: int, image: UInt8[np.ndarray, "_ _"]) -> bytes:
        """Return the heat map of one model."""
        with self._lock:
            return self.models[number].heat_map(image)


def load_models(folders: Sequence[Path]) -> Models:
    """Load and compile models; raises `ConfigError` for one that cannot be used."""
    return Models(
        [Model(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]
    )


def _explainer_of(released: Any) -> Any:
    """Return the explainer of a network, or None for one whose feature map has a single pixel."""
    try:
        return explain.Explainer(released.card, released.variables, [METHOD], batch_size=1)
    except ConfigError:
        return None


def _batch(image: UInt8[np.ndarray, "size size"]) -> dict[str, np.ndarray]:
    return {"image": image[None, :, :, None], "position": np.zeros(1, np.int32)}


def _names(folders: Sequence[Path]) -> list[str]:
    """Return a name for each folder: that of the run, since all are called `model`."""
    names: list[str] = []
    for folder in folders:
        absolute = folder.absolute()
        name = absolute.parent.name if absolute.name == "model" else absolute.name
        name = "".join(letter for letter in name if letter.isprintable())[:64] or "model"
        number = 1 + sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(name if number == 1 else f"{name} ({number})")
    return names


def _stamp(folder: Path) -> tuple[int, ...] | None:
    """Return what changes when the card of a model is replaced."""
    try:
        found = os.stat(folder / _CARD)  # noqa: PTH116 follows links as reading does
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
