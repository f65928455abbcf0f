"""The section of a report on studies: the ways to join the images of one, side by side."""

from collections.abc import Mapping

from elbow_core.evaluation.report.content import JoinSummary, ModelSummary, StudySummary
from elbow_core.evaluation.report.rendering import Block, Heading, Items, Paragraph, Table
from elbow_core.evaluation.report.tables import (
    LONG,
    UNDEFINED,
    estimate,
    number,
    p_value,
    point_name,
    with_interval,
)
from elbow_core.evaluation.statistics import DEFAULT
from elbow_core.evaluation.statistics.differences import Difference

SHOWN_POINT = "youden"
"""The operating point of the table, where there is one; metrics.json has all of them."""
JOINED = (
    "A study gets one score from its images in each of these ways. What is fitted or chosen for a "
    "way comes from validation studies alone. Differences are to the mean of logits, paired by "
    "study, each way at its own threshold."
)
ALL_SINGLE = "Every study has one image, so there is nothing to join."


def study_blocks(models: Mapping[str, ModelSummary]) -> list[Block]:
    """Return the section; empty where no image names its study."""
    found = {name: model.studies for name, model in models.items() if model.studies is not None}
    if not found:
        return []
    first = next(iter(found.values()))
    blocks: list[Block] = [Heading(2, "By study"), Paragraph(_counts(first)), Paragraph(JOINED)]
    if not first.several:
        blocks.append(Paragraph(ALL_SINGLE))
    return [
        *blocks,
        _areas(found),
        _decisions(found),
        Items(tuple(_learnt(name, studies) for name, studies in found.items())),
    ]


def _counts(studies: StudySummary) -> str:
    text = (
        f"{studies.studies} studies, {studies.injured} injured: those with an injured image. "
        f"{studies.several} have several images."
    )
    if studies.mixed:
        text += f" In {studies.mixed} of the injured other images are labelled normal."
    return text


def _areas(found: Mapping[str, StudySummary]) -> Table:
    rows = []
    for model, studies in found.items():
        for name, join in studies.joins.items():
            difference = None if join.differences is None else join.differences.auroc
            p = UNDEFINED if difference is None else p_value(difference.p)
            row = (f"{model}: {name}", with_interval(join.auroc), _difference(difference), p)
            rows.append(row)
    header = ("Study's score", "AUC-ROC", "Minus mean of logits", "p (DeLong)")
    return Table("Discrimination between studies", header, tuple(rows))


def _decisions(found: Mapping[str, StudySummary]) -> Table:
    rows = []
    for model, studies in found.items():
        for name, join in studies.joins.items():
            point = _shown(join)
            summary = join.operating_points[point]
            cells = [f"{model}: {name}, {point_name(point)}", number(summary.threshold)]
            for of_class in ("sensitivity", "specificity"):
                cells.append(with_interval(summary.decisions.metrics[of_class]))
                differences = join.differences
                cells.append(
                    _difference(
                        None if differences is None else differences.points[point][of_class]
                    )
                )
            rows.append(tuple(cells))
    header = (
        *("Study's score and operating point", "Threshold"),
        *("Sensitivity", "Minus mean of logits", "Specificity", "Minus mean of logits"),
    )
    caption = "At thresholds frozen on validation studies"
    return Table(caption, header, tuple(rows), folded=len(rows) > LONG)


def _shown(join: JoinSummary) -> str:
    return SHOWN_POINT if SHOWN_POINT in join.operating_points else DEFAULT


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return UNDEFINED
    return estimate(difference.estimate, difference.low, difference.high)


def _learnt(model: str, studies: StudySummary) -> str:
    learnt = studies.learnt
    if learnt is None:
        return f"{model}: no learnt join: {studies.reason}."
    weights = ", ".join(f"{name} {weight:+.3f}" for name, weight in learnt.weights.items())
    return (
        f"{model}: the learnt join was fitted on {learnt.studies} validation studies, "
        f"{learnt.injured} injured. To the mean of the logits it adds {learnt.intercept:+.3f} and "
        f"these weights times their terms: {weights}."
    )
