"""The order in which a reader sees the images of a label audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elbow_core.dataset import ManifestRow, NearPair
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.labels.quality import flag_labels, label_quality
from elbow_core.evaluation.predictions import Predictions
from elbow_core.identity import normalise_image_id


@dataclass(frozen=True, slots=True)
class Twin:
    """A near-duplicate of an image that has the other label."""

    image_id: str
    label: int
    bits: int
    """In which the perceptual hashes differ, of 256."""


@dataclass(frozen=True, slots=True)
class AuditedLabel:
    """One label of the audit.

    ``score`` and ``quality`` are None for an image without a score, which is there only because it
    contradicts a near-duplicate.
    """

    image_id: str
    label: int
    score: float | None
    quality: float | None
    flagged: bool
    twins: tuple[Twin, ...]


def rank_labels(
    predictions: Predictions, rows: Sequence[ManifestRow], pairs: Sequence[NearPair]
) -> list[AuditedLabel]:
    """Return the labels, the most doubtful first.

    Near-duplicates with contradicting labels come first, the closest pair before the others and its
    more doubtful label before the other; then all scored images by `label_quality`. ``rows`` are
    those of the prepared data, whose ids and labels count; ``pairs`` are their near-duplicates.

    Raises `PredictionsError`, with file and line, for an image that ``rows`` lack or label
    differently, and for labels of one class.
    """
    by_id = {normalise_image_id(row.image_id): row for row in rows}
    keys = [str(key) for key in predictions.keys("image_id")]
    for index, key in enumerate(keys):
        _check_label(predictions, index, by_id.get(key))
    try:
        quality = label_quality(predictions.label, predictions.score)
        flagged = flag_labels(predictions.label, predictions.score)
    except ValueError as error:
        raise PredictionsError(f"{predictions.path or predictions.model}: {error}") from error
    position = {key: index for index, key in enumerate(keys)}
    contradicting = _contradicting(pairs, by_id)

    def quality_of(key: str) -> float:
        return float(quality[position[key]]) if key in position else np.inf

    first: list[str] = []
    twins: dict[str, list[Twin]] = {}
    for key, other, bits in contradicting:
        first += sorted((key, other), key=quality_of)
        for image, twin in ((key, by_id[other]), (other, by_id[key])):
            twins.setdefault(image, []).append(Twin(twin.image_id, twin.label, bits))
    ordered = [keys[index] for index in np.argsort(quality, kind="stable")]
    audited = []
    for key in dict.fromkeys([*first, *ordered]):
        index = position.get(key)
        row = by_id[key]
        audited.append(
            AuditedLabel(
                image_id=row.image_id,
                label=row.label,
                score=None if index is None else float(predictions.score[index]),
                quality=None if index is None else float(quality[index]),
                flagged=index is not None and bool(flagged[index]),
                twins=tuple(twins.get(key, ())),
            )
        )
    return audited


def _check_label(predictions: Predictions, index: int, row: ManifestRow | None) -> None:
    place, image_id = predictions.where(index), str(predictions.image_id[index])
    if row is None:
        raise PredictionsError(f"{place}: image {image_id!r} is not in the prepared data")
    if row.label != predictions.label[index]:
        raise PredictionsError(
            f"{place}: image {image_id!r} has label {predictions.label[index]}, but {row.label} in "
            "the prepared data; score those"
        )


def _contradicting(
    pairs: Sequence[NearPair], by_id: Mapping[str, ManifestRow]
) -> list[tuple[str, str, int]]:
    """Return the pairs with different labels as they are compared, the closest first."""
    found = []
    for pair in pairs:
        key, other = normalise_image_id(pair.image_id), normalise_image_id(pair.other_id)
        if key in by_id and other in by_id and by_id[key].label != by_id[other].label:
            found.append((key, other, pair.bits))
    return sorted(found, key=lambda pair: pair[2])
