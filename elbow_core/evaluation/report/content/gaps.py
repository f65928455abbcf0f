"""The gaps between the subgroups of each attribute, of one model."""

from collections.abc import Sequence

import numpy as np

from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content.structure import GapSummary
from elbow_core.evaluation.statistics.differences import holm
from elbow_core.evaluation.subgroups import Grouping, group_gaps


def gap_summaries(
    predictions: Predictions,
    threshold: float,
    clusters: np.ndarray,
    groupings: Sequence[Grouping],
    seed: int,
) -> list[GapSummary]:
    """Return the gap of each attribute in each metric; p is adjusted over all of them."""
    labels, scores = predictions.label, predictions.score
    found = [
        (grouping, metric, gap)
        for grouping in groupings
        for metric, gap in group_gaps(
            labels, scores, scores >= threshold, grouping.number, clusters, seed
        ).items()
    ]
    adjusted = holm([gap.p for _, _, gap in found])
    summaries = []
    for (grouping, metric, gap), p_holm in zip(found, adjusted, strict=True):
        names = grouping.groups
        summaries.append(
            GapSummary(
                attribute=grouping.attribute,
                metric=metric,
                higher=names[gap.pair[0]] if gap.pair else "",
                lower=names[gap.pair[1]] if gap.pair else "",
                gap=gap,
                tested=(names[gap.tested[0]], names[gap.tested[1]]) if gap.tested else (),
                p_holm=p_holm,
                judged=[names[group] for group in gap.judged],
                not_judged=[name for group, name in enumerate(names) if group not in gap.judged],
            )
        )
    return summaries
