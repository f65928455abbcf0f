"""The section of a report on images that a model leaves to the reader."""

from collections.abc import Mapping

from elbow_core.evaluation.report.content import AbstentionSummary, AnswerShare, ModelSummary
from elbow_core.evaluation.report.rendering import Block, Heading, Items, Paragraph, Table
from elbow_core.evaluation.report.tables import UNDEFINED, with_interval

TEXT = (
    "Two frozen thresholds, chosen on validation: an image between them is left to the reader. "
    "Their promise is one about validation sets: with the confidence, both shares of wrong answers "
    "are at most the wanted ones among all patients like those of validation. The realised share "
    "on these images varies around that of all patients."
)


def abstention_blocks(models: Mapping[str, ModelSummary]) -> list[Block]:
    """Return the section, or nothing if no model leaves images to the reader."""
    found = {name: model.abstention for name, model in models.items() if model.abstention}
    if not found:
        return []
    rows = [row for name, summary in found.items() for row in _rows(name, summary)]
    header = ("Answer", "Score", "Images", "Wrong", "Share of wrong answers", "Wanted at most")
    return [
        Heading(2, "Left to the reader"),
        Paragraph(TEXT),
        Table("Answers at the frozen thresholds", header, tuple(rows), text_columns=(1,)),
        Items(tuple(_left(name, summary) for name, summary in found.items())),
    ]


def _rows(name: str, summary: AbstentionSummary) -> list[tuple[str, ...]]:
    return [
        _row(f"{name}: normal", "below", summary.normal_below, summary.normal),
        _row(f"{name}: injury", "from", summary.injury_from, summary.injury),
    ]


def _row(answer: str, side: str, threshold: float | None, share: AnswerShare) -> tuple[str, ...]:
    score = "never given" if threshold is None else f"{side} {threshold:g}"
    counts = (str(share.images), str(share.wrong))
    shown = UNDEFINED if threshold is None else f"{share.wanted:g}"
    return (answer, score, *counts, with_interval(share.share), shown)


def _left(name: str, summary: AbstentionSummary) -> str:
    images = summary.left + summary.normal.images + summary.injury.images
    return (
        f"{name}: {summary.left} of {images} images are left to the reader, a share of "
        f"{with_interval(summary.left_share)}. Every {summary.unit} counts once in the shares; the "
        f"confidence is {summary.confidence:g}."
    )
