"""Two frozen thresholds and the promise under which they were chosen: ``abstention.json``.

The same content is part of a released model's ``model.json``.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import Field, field_validator, model_validator

from elbow_core.config import StrictModel, parse_record
from elbow_core.errors import PredictionsError, UserError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import NONE_INJURED, clusters_of
from elbow_core.evaluation.statistics.abstention import (
    CertifiedThreshold,
    answers,
    choose_abstention,
)
from elbow_core.files import SMALL_FILE, atomic_file, parse_json, read_regular, sha256_of

UNCERTAIN = "uncertain"
"""The name of the third answer, in tables: the image is left to the reader."""
ABSTENTION_MARK = '{\n  "abstention_version":'
"""How a file begins, so that a command knows one that it may replace."""

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class CertifiedAnswer(StrictModel):
    """An answer that is given, its threshold, and the test on the validation set behind it."""

    threshold: Annotated[float, Field(ge=0, le=1)]
    """Normal is called below it, injury at or above it."""
    images: Annotated[int, Field(ge=1, lt=1 << 53)]
    """Images of the validation set that are called."""
    wrong: Count
    """Those of them with the other label."""
    p: Annotated[float, Field(ge=0, le=1)]
    """Of the test that the share of wrong ones is above the wanted one."""
    level: Annotated[float, Field(ge=0, le=1)]
    """What p had to reach."""

    @model_validator(mode="after")
    def _check_test(self) -> "CertifiedAnswer":
        if self.wrong > self.images:
            raise ValueError(f"wrong: {self.wrong} of {self.images} images")
        if self.p > self.level:
            raise ValueError(f"p: {self.p:g} is above its level {self.level:g}")
        return self


class AbstentionRecord(StrictModel):
    """The content of abstention.json."""

    abstention_version: Annotated[int, Field(ge=1, le=1)]
    """Of this schema."""
    model: Annotated[str, Field(min_length=1, max_length=256)]
    """The model's name in the validation predictions."""
    most_missed: Share
    """Wanted share of injured images among those called normal."""
    most_false_alarms: Share
    """Wanted share of normal images among those called injured."""
    confidence: Share
    """With which both shares are kept, over validation sets."""
    most_images: Annotated[int, Field(ge=1, lt=1 << 53)] | None
    """None counts every patient once; a number every image, for patients with at most so many."""
    normal: CertifiedAnswer | None
    """None if no image is called normal."""
    injury: CertifiedAnswer | None
    """None if no image is called injured."""
    patients: Annotated[int, Field(ge=1, lt=1 << 53)]
    """Of the validation set."""
    images: Annotated[int, Field(ge=1, lt=1 << 53)]
    """Of the validation set."""
    injured: Count
    """Injured images of the validation set."""
    predictions_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    """SHA-256 of the validation predictions; None for predictions from memory."""

    @field_validator("model")
    @classmethod
    def _check_model(cls, model: str) -> str:
        if not model.isprintable():
            raise ValueError(f"{model[:80]!a} is not printable text")
        return model

    @model_validator(mode="after")
    def _check_order(self) -> "AbstentionRecord":
        if self.normal_below > self.injury_from:
            raise ValueError("normal: its threshold is above that of injury")
        return self

    @property
    def unit(self) -> str:
        """What counts once in the shares: ``patient`` or ``image``."""
        return "patient" if self.most_images is None else "image"

    @property
    def normal_below(self) -> float:
        """A score below it is called normal; 0 if none is."""
        return 0.0 if self.normal is None else self.normal.threshold

    @property
    def injury_from(self) -> float:
        """A score at or above it is called injured; just above 1 if none is."""
        return NONE_INJURED if self.injury is None else self.injury.threshold

    def answers(self, scores: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        """Return 0 normal, 1 injury or `LEFT` (-1), uncertain, for each score."""
        return answers(scores, self.normal_below, self.injury_from)


def abstention_of(
    validation: Predictions,
    most_missed: float,
    most_false_alarms: float,
    confidence: float = 0.95,
    most_images: int | None = None,
) -> AbstentionRecord:
    """Choose the thresholds on validation predictions, as `choose_abstention` does.

    An image without a patient counts as a patient of its own. Raises `PredictionsError` where the
    predictions allow no choice, ValueError for a number outside its range.
    """
    name, clusters = validation.path or validation.model, clusters_of(validation.patient_id)
    if len(np.unique(validation.label)) < 2:
        raise PredictionsError(f"{name}: validation needs images of both classes")
    if validation.score.min() == validation.score.max():
        raise PredictionsError(
            f"{name}: every score is {validation.score[0]:g}; no threshold divides the images"
        )
    _refuse_large(validation, clusters, most_images)
    chosen = choose_abstention(
        validation.label,
        validation.score,
        clusters,
        most_missed,
        most_false_alarms,
        confidence,
        most_images,
    )
    return AbstentionRecord(
        abstention_version=1,
        model=validation.model,
        most_missed=most_missed,
        most_false_alarms=most_false_alarms,
        confidence=confidence,
        most_images=most_images,
        normal=_answer(chosen.normal),
        injury=_answer(chosen.injury),
        patients=int(np.unique(clusters).size),
        images=len(validation),
        injured=int(validation.label.sum()),
        predictions_sha256=sha256_of(Path(validation.path)) if validation.path else None,
    )


def read_abstention(path: Path) -> AbstentionRecord:
    """Read an abstention.json; raises `UserError` in one line for any other file."""
    try:
        return parse_abstention(read_regular(path, SMALL_FILE))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: is not an abstention.json: {error}") from error


def parse_abstention(content: bytes) -> AbstentionRecord:
    """Return the record in the bytes of a file; raises ValueError in one line."""
    parse_json(content)
    return parse_record(AbstentionRecord, content)


def write_abstention(path: Path, record: AbstentionRecord) -> None:
    """Write an abstention.json atomically; raises `UserError` and `OSError` as `atomic_file`."""
    with atomic_file(path) as partial:
        partial.write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _answer(chosen: CertifiedThreshold | None) -> CertifiedAnswer | None:
    return None if chosen is None else CertifiedAnswer(**chosen._asdict())


def _refuse_large(
    validation: Predictions, clusters: Int64[np.ndarray, " images"], most_images: int | None
) -> None:
    if most_images is None:
        return
    found = np.bincount(clusters)
    if (found > most_images).any():
        row = int(np.argmax(clusters == np.argmax(found)))
        raise PredictionsError(
            f"{validation.where(row)}: patient {str(validation.patient_id[row])!r} has "
            f"{found.max()} images, more than the {most_images} that any patient may have"
        )
