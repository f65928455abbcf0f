"""The card of a released model, ``model.json``: its schema, read strictly."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from elbow_core.config import StrictModel, parse_record
from elbow_core.evaluation import UNCERTAIN, AbstentionRecord
from elbow_core.evaluation.statistics import check_thresholds
from elbow_core.files import parse_json
from elbow_core.radiographs import Preprocessing
from elbow_jax.models import ModelConfig

SCHEMA_VERSION = 3
WITHOUT_ABSTENTION = 2
_WITHOUT_SEEN_IMAGES = 1

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class ModelCard(StrictModel):
    """The content of model.json."""

    schema_version: Annotated[int, Field(ge=_WITHOUT_SEEN_IMAGES, le=SCHEMA_VERSION)]
    """Of this file; a newer one is refused.

    Version 1 does not name `seen_images.csv`, version 3 alone has an `abstention`.
    """
    architecture: ModelConfig
    """The network to build."""
    preprocessing: Preprocessing
    """From a radiograph to the network's input."""
    thresholds: dict[str, float]
    """Operating points by name; `default` is 0.5, the others were chosen on the validation set."""
    labels: tuple[Name, Name]
    """Names of the class below and the class at or above a threshold."""
    validation: dict[Name, float]
    """Metrics of these weights on the validation set."""
    step: Annotated[int, Field(ge=0, lt=1 << 53)]
    """Optimiser steps that these weights were trained for."""
    weights_sha256: Digest
    """SHA-256 of weights.safetensors, in hexadecimal."""
    seen_images_sha256: Digest | None = None
    """SHA-256 of seen_images.csv, in hexadecimal."""
    abstention: AbstentionRecord | None = None
    """Two thresholds between which an image is left to the reader, and their promise."""

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
        if (self.schema_version > WITHOUT_ABSTENTION) != (self.abstention is not None):
            raise ValueError(f"abstention: belongs to version {SCHEMA_VERSION} alone")
        if self.abstention is not None and UNCERTAIN in self.labels:
            raise ValueError(f"labels: {UNCERTAIN!r} is the name of the third answer")
        return self


def card_text(card: ModelCard) -> str:
    """Return the text of model.json; programs that know no `abstention` read one without it."""
    left_out = {"abstention"} if card.abstention is None else None
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
