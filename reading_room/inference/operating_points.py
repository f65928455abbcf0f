"""The operating point of a model, by the same rules as the command predict."""

from typing import TYPE_CHECKING

from elbow_core.evaluation.statistics import DEFAULT
from elbow_jax.predict import choose_threshold, operating_point_of
from reading_room.inference.findings import OperatingPoint

if TYPE_CHECKING:
    from elbow_jax.scoring import ModelCard


def operating_point(card: "ModelCard", given: str | None) -> OperatingPoint:
    """Return the operating point that ``--threshold`` names, or the model's own.

    Without ``given`` it is that of the two thresholds that leave images to the reader where the
    model has them, and else `default`.

    Raises:
        ConfigError: if ``given`` is neither a name in the card nor a number from 0 to 1.
    """
    name, kept = operating_point_of(card, given), card.abstention
    if given is None and kept is not None:
        return OperatingPoint(name, kept.normal_below, kept.injury_from)
    threshold = choose_threshold(DEFAULT if given is None else given, card.thresholds)
    return OperatingPoint(name, threshold, threshold)
