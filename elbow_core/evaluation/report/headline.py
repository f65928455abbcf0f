"""The answer of a report: the best model, and what its difference to the next one means."""

import math
from collections.abc import Mapping, Sequence

from elbow_core.evaluation.report.content import Comparison, Metric
from elbow_core.evaluation.report.tables import NAMES, estimate, number, p_value, with_interval

SIGNIFICANT = 0.05
AREA = NAMES["auroc"]


def headline(areas: Mapping[str, Metric], comparisons: Sequence[Comparison]) -> tuple[str, str]:
    """Return the answer, and the numbers of the difference behind it, if there is one.

    The answer names the model with the largest area under the ROC curve. ``areas`` holds the area
    of each model, ``comparisons`` those of every pair. The difference to the next model has
    DeLong's interval and p, and Holm's adjustment over the pairs of models. It counts as shown if
    its interval is beside 0 and the adjusted p below 0.05.
    """
    known = [name for name, area in areas.items() if not math.isnan(area.value)]
    if not known:
        reason = next(iter(areas.values())).reason
        return f"No model is the best one: {AREA} is undefined ({reason}).", ""
    if len(areas) == 1:
        return f"{known[0]}: {AREA} {with_interval(areas[known[0]])}.", ""
    best, second, *_ = sorted(known, key=lambda name: -areas[name].value)
    meaning, difference = _difference(comparisons, best, second)
    return f"Best model by {AREA}: {best}, {number(areas[best].value)}. {meaning}", difference


def _difference(comparisons: Sequence[Comparison], best: str, second: str) -> tuple[str, str]:
    """Return what the difference of areas means, and its numbers."""
    areas = [row for row in comparisons if row.metric == "auroc"]
    row = next(row for row in areas if {row.first, row.second} == {best, second})
    found, sign = row.difference, 1 if row.first == best else -1
    value = sign * found.estimate + 0.0  # no negative zero
    if math.isnan(found.low):
        unknown = f"Whether it is better than the next one, {second}, is not known"
        return (
            f"{unknown}: {found.reason}.",
            f"Difference of areas {number(value)}, without an interval.",
        )
    low, high = sorted((sign * found.low, sign * found.high))
    tested = f"Difference of areas {estimate(value, low, high)}, {found.test} p {p_value(found.p)}"
    if len(areas) > 1:
        tested += f", {p_value(row.p_holm)} with Holm's adjustment over {len(areas)} pairs"
    not_shown = f"It is not shown to be better than the next one, {second}"
    if low <= 0 <= high:
        meaning = f"{not_shown}: the interval of the difference contains 0."
    elif row.p_holm >= SIGNIFICANT:
        meaning = f"{not_shown}: the adjusted p is not below {SIGNIFICANT}."
    else:
        meaning = f"It is better than the next one, {second}."
    return meaning, f"{tested}."
