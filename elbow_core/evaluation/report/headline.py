"""The first lines of a report: the best model, the next one, and what their difference shows."""

import math
from collections.abc import Mapping, Sequence

from elbow_core.evaluation.report.content import Comparison, Metric
from elbow_core.evaluation.report.tables import NAMES, estimate, number, p_value, with_interval

SIGNIFICANT = 0.05
AREA = NAMES["auroc"]


def headline(areas: Mapping[str, Metric], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return, in sentences, which model has the largest area under the ROC curve, and by how much.

    ``areas`` holds the area of each model, ``comparisons`` those of every pair. The difference to
    the next model has DeLong's interval and p, and Holm's adjustment over the pairs of models. It
    counts as shown if its interval is beside 0 and the adjusted p below 0.05.
    """
    known = [name for name, area in areas.items() if not math.isnan(area.value)]
    if not known:
        reason = next(iter(areas.values())).reason
        return (f"No model is the best one: {AREA} is undefined ({reason}).",)
    if len(areas) == 1:
        return (f"{known[0]}: {AREA} {with_interval(areas[known[0]])}.",)
    best, second, *_ = sorted(known, key=lambda name: -areas[name].value)
    return (
        f"Best model by {AREA}: {best}, {with_interval(areas[best])}.",
        f"Next: {second}, {with_interval(areas[second])}.",
        _difference(comparisons, best, second),
    )


def _difference(comparisons: Sequence[Comparison], best: str, second: str) -> str:
    areas = [row for row in comparisons if row.metric == "auroc"]
    row = next(row for row in areas if {row.first, row.second} == {best, second})
    found, sign = row.difference, 1 if row.first == best else -1
    value = sign * found.estimate + 0.0  # no negative zero
    if math.isnan(found.low):
        return f"Difference {number(value)}, without an interval: {found.reason}."
    low, high = sorted((sign * found.low, sign * found.high))
    tested = f"Difference {estimate(value, low, high)}, {found.test} p {p_value(found.p)}"
    if len(areas) > 1:
        tested += f", {p_value(row.p_holm)} with Holm's adjustment over {len(areas)} pairs"
    if low <= 0 <= high:
        return f"{tested}. The interval contains 0, so no difference is shown."
    if row.p_holm >= SIGNIFICANT:
        return f"{tested}. The adjusted p is not below {SIGNIFICANT}, so no difference is shown."
    return f"{tested}. The difference is shown."
