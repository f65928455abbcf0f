"""The card of a released model, ``model.json``: its schema, read strictly."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from elbow_core.config import StrictModel, parse_record
from elbow_core.evaluation import UNCERTAIN, AbstentionRecord
from elbow_core.evaluation.statistics import check_thresholds
from elbow_core.files import parse_json
from elbow_core.radiographs import Preprocessing
from elbow_jax.models import ModelConfig

SCHEMA_VERSION = 4
WITHOUT_GATE_OR_ENSEMBLE = 3
WITHOUT_ABSTENTION = 2
_WITHOUT_SEEN_IMAGES = 1
MAX_MEMBERS = 1000
"""Networks in an ensemble, at most."""

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Step = Annotated[int, Field(ge=0, lt=1 << 53)]


class GateRecord(StrictModel):
    """The input gate of a released model, whose statistics lie beside its weights."""

    distance: Literal["mahalanobis"]
    """To the nearer class of the training images, in pooled features and in grey levels."""
    false_alarms: Annotated[float, Field(gt=0, lt=1)]
    """Share of images like those of validation that it flags, at most; sets the limits."""
    images: Annotated[int, Field(ge=1, lt=1 << 53)]
    """Images of the validation set, which set the limits; of an ensemble, the fewest."""


class EnsembleMember(StrictModel):
    """One network of an ensemble: the released model of one fold of a cross-validation."""

    repeat: Annotated[int, Field(ge=1, lt=1 << 53)]
    """From 1: the cross-validation."""
    fold: Annotated[int, Field(ge=1, lt=1 << 53)]
    """From 1: the fold that it was tested on."""
    step: Step
    """Optimiser steps that its weights were trained for."""
    weights_sha256: Digest
    """SHA-256 of its own weights.safetensors, in hexadecimal."""


class EnsembleRecord(StrictModel):
    """What makes a released model an ensemble, whose score is the mean of its members'."""

    mean_of: Literal["probabilities"]
    """What is averaged: every member's P(injury), with equal weights."""
    operating_points_from: Literal["out-of-fold scores"]
    """The scores behind `thresholds` and `validation`: of every image, by networks that have not
    learnt from its patient. They are not scores of the ensemble, which has learnt from them all."""
    out_of_fold_sha256: Digest
    """SHA-256 of the predictions file with these scores, in hexadecimal."""
    members: Annotated[tuple[EnsembleMember, ...], Field(min_length=2, max_length=MAX_MEMBERS)]
    """In the order of the first axis of every tensor."""

    @property
    def step(self) -> int:
        """The largest number of optimiser steps of a member."""
        return max(member.step for member in self.members)

    @model_validator(mode="after")
    def _check_members(self) -> "EnsembleRecord":
        folds = [(member.repeat, member.fold) for member in self.members]
        if folds != sorted(set(folds)):
            raise ValueError("members: are not in the order of repeats and folds, or repeated")
        return self


class ModelCard(StrictModel):
    """The content of model.json."""

    schema_version: Annotated[int, Field(ge=_WITHOUT_SEEN_IMAGES, le=SCHEMA_VERSION)]
    """Of this file; a newer one is refused.

    Version 1 does not name `seen_images.csv`, version 3 has an `abstention`, and version 4 a
    `gate` or an `ensemble`, with an `abstention` or without.
    """
    architecture: ModelConfig
    """The network to build."""
    preprocessing: Preprocessing
    """From a radiograph to the network's input."""
    thresholds: dict[str, float]
    """Operating points by name; `default` is 0.5, the others were chosen on the validation set.

    Those of an ensemble were chosen on out-of-fold scores.
    """
    labels: tuple[Name, Name]
    """Names of the class below and the class at or above a threshold."""
    validation: dict[Name, float]
    """Metrics of these weights on the validation set; of an ensemble, of the out-of-fold scores."""
    step: Step
    """Optimiser steps that these weights were trained for; of an ensemble, the largest number."""
    weights_sha256: Digest
    """SHA-256 of weights.safetensors, in hexadecimal."""
    seen_images_sha256: Digest | None = None
    """SHA-256 of seen_images.csv, in hexadecimal."""
    abstention: AbstentionRecord | None = None
    """Two thresholds between which an image is left to the reader, and their promise."""
    ensemble: EnsembleRecord | None = None
    """The members of an ensemble; every tensor has a first axis over them."""
    gate: GateRecord | None = None
    """What flags images that are unlike the training images; the flag changes no score."""

    @property
    def members(self) -> int | None:
        """The number of networks of an ensemble; None for a single network."""
        return None if self.ensemble is None else len(self.ensemble.members)

    @field_validator("thresholds")
    @classmethod
    def _check_thresholds(cls, thresholds: dict[str, float]) -> dict[str, float]:
        return check_thresholds(thresholds)

    @field_validator("labels", "validation")
    @classmethod
    def _check_text(cls, names: Any) -> Any:
        for name in names:
            if not name.isprintable() or name != name.strip():
                raise ValueError(f"{name!a} is not printable text without blanks around it")
        return names

    @model_validator(mode="after")
    def _check_consistency(self) -> "ModelCard":
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels: both classes are {self.labels[0]!r}")
        if (self.schema_version == _WITHOUT_SEEN_IMAGES) != (self.seen_images_sha256 is None):
            raise ValueError(
                f"seen_images_sha256: belongs to version {WITHOUT_ABSTENTION} and later"
            )
        needed = version_of(self.abstention, self.ensemble, self.gate)
        if max(self.schema_version, WITHOUT_ABSTENTION) != needed:
            raise ValueError(
                f"schema_version: is {self.schema_version}; an ensemble or a gate belongs to "
                f"version {SCHEMA_VERSION}, abstention alone to {WITHOUT_GATE_OR_ENSEMBLE}"
            )
        if self.ensemble is not None and self.step != self.ensemble.step:
            raise ValueError("step: is not the largest of the ensemble's members")
        if self.abstention is not None and UNCERTAIN in self.labels:
            raise ValueError(f"labels: {UNCERTAIN!r} is the name of the third answer")
        return self


def version_of(
    abstention: AbstentionRecord | None,
    ensemble: EnsembleRecord | None = None,
    gate: GateRecord | None = None,
) -> int:
    """Return the schema version of a card: the lowest that has what it has."""
    if ensemble is not None or gate is not None:
        return SCHEMA_VERSION
    return WITHOUT_ABSTENTION if abstention is None else WITHOUT_GATE_OR_ENSEMBLE


def card_text(card: ModelCard) -> str:
    """Return the text of model.json; earlier programs read one without the later fields."""
    later = ("abstention", "ensemble", "gate")
    left_out = {name for name in later if getattr(card, name) is None}
    return card.model_dump_json(indent=2, exclude=left_out) + "\n"


def parse_card(content: bytes) -> ModelCard:
    """Return the card in the bytes of a file.

    Raises:
        ValueError: in one line, for another schema, a newer one, or a value that cannot be.
    """
    card = parse_json(content)
    version = card.get("schema_version") if isinstance(card, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ValueError(
            f"schema version {version} is newer than this program's {SCHEMA_VERSION}; update the "
            "program"
        )
    return parse_record(ModelCard, content)
