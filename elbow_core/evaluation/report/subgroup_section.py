"""The section of a report on subgroups: their metrics, and the gaps between them."""

from collections.abc import Mapping, Sequence

from elbow_core.evaluation.report.content import GapSummary, ModelSummary
from elbow_core.evaluation.report.rendering import Block, Heading, Paragraph, Table
from elbow_core.evaluation.report.tables import (
    GROUP_METRICS,
    NAMES,
    UNDEFINED,
    estimate,
    p_value,
    with_interval,
)
from elbow_core.evaluation.statistics.groups import LEAST_PATIENTS

SIGNIFICANT = 0.05
MOST_NAMED = 6

INTRODUCTION = (
    "An image whose finding mentions hardware counts as showing it. Further columns of the "
    "manifest are subgroups too: ages in bands, other numbers with more than six values in "
    "quartiles of these images, words as they are."
)
TESTED = (
    "Each attribute's groups were tested against each other. The gap is the largest difference "
    "between two of them, and its interval takes into account that it was picked. p is of the "
    "hypothesis that no group differs; where small groups make the largest gap, p may come from "
    "another pair. p (Holm) accounts for all rows of the table. A group may also differ because "
    "its images are harder."
)


def subgroup_blocks(models: Mapping[str, ModelSummary]) -> list[Block]:
    """Return the section; empty without subgroups."""
    shown = {model: found for model, found in models.items() if found.subgroups}
    if not shown:
        return []
    blocks: list[Block] = [Heading(2, "Subgroups"), Paragraph(INTRODUCTION)]
    blocks += [
        subgroups_table(found, f"{model}, at the default threshold")
        for model, found in shown.items()
    ]
    blocks += [Heading(3, "Gaps between subgroups"), Paragraph(TESTED)]
    for model, found in shown.items():
        blocks += [
            Paragraph(f"{model}: {shown_gaps(found.gaps)}"),
            gaps_table(found.gaps, f"{model}, largest gap of each attribute"),
        ]
    return blocks


def subgroups_table(model: ModelSummary, caption: str) -> Table:
    """One model's metrics, one row per subgroup."""
    rows = (
        (
            f"{row.attribute}: {row.group}",
            str(row.images),
            str(row.injured),
            *(with_interval(row.metrics[name]) for name in GROUP_METRICS),
        )
        for row in model.subgroups
    )
    header = ("Subgroup", "Images", "Injured", *(NAMES[name] for name in GROUP_METRICS))
    return Table(caption, header, tuple(rows), folded=True)


def gaps_table(gaps: Sequence[GapSummary], caption: str) -> Table:
    """One row per attribute and metric; the groups too small to be judged are named."""
    rows = (
        (
            row.attribute,
            NAMES[row.metric],
            f"{row.higher} - {row.lower}" if row.higher else UNDEFINED,
            estimate(row.gap.estimate, row.gap.low, row.gap.high),
            p_value(row.gap.p),
            p_value(row.p_holm),
            _named(row.not_judged),
        )
        for row in gaps
    )
    too_small = f"Not judged: below {LEAST_PATIENTS} patients of a class"
    header = ("Attribute", "Metric", "Groups", "Gap", "p", "p (Holm)", too_small)
    return Table(caption, header, tuple(rows), text_columns=(1, 2, 6), folded=True)


def shown_gaps(gaps: Sequence[GapSummary]) -> str:
    """Return, in one sentence, in which attributes groups differ by the adjusted p."""
    differing = [
        f"{row.attribute} ({NAMES[row.metric]}, {row.tested[0]} above {row.tested[1]})"
        for row in gaps
        if row.tested and row.p_holm < SIGNIFICANT
    ]
    if not any(row.tested for row in gaps):
        return "no attribute has two groups that are large enough to be judged."
    if not differing:
        return f"no adjusted p is below {SIGNIFICANT}, so no difference between groups is shown."
    return f"the adjusted p is below {SIGNIFICANT} in {', '.join(differing)}."


def _named(groups: Sequence[str]) -> str:
    named = "; ".join(groups[:MOST_NAMED])
    further = len(groups) - MOST_NAMED
    return f"{named}; and {further} more" if further > 0 else named or UNDEFINED
