"""The search for confusion matrices that explain published metrics, and its result as text."""

import itertools
from collections.abc import Sequence
from fractions import Fraction

from elbow_core.evaluation.audit.tables import ClassCounts, Published
from elbow_core.evaluation.statistics.published import (
    Range,
    implied_prevalence,
    rounded_range,
    search_confusions,
    truncated_range,
)
from elbow_core.printable import one_line

HEADER = (
    *("row", "set", "positives", "negatives", "rounded", "truncated"),
    *("nearest tp fp tn fn", "off by"),
)


def audit(
    published: Sequence[Published], sets: Sequence[ClassCounts], tolerance: Fraction | None = None
) -> str:
    """Return the audit as text: one line per row and set, then the conclusions.

    A row counts as explained if its metrics were rounded from those of a matrix, or all truncated;
    with a ``tolerance``, if each is that near to the metric of a matrix.
    """
    table = [HEADER]
    rounded, truncated = set(), set()
    for row, counts in itertools.product(published, sets):
        found = search_confusions(
            row.metrics, counts.positives, counts.negatives, row.decimals, tolerance
        )
        rounded |= {row.name} if found.feasible else set()
        truncated |= {row.name} if found.truncated else set()
        table.append(
            (
                *(row.name, counts.name, f"{counts.positives}", f"{counts.negatives}"),
                f"{len(found.feasible)}",
                f"{len(found.truncated)}" if tolerance is None else "-",
                " ".join(map(str, found.nearest)),
                f"{found.deviation:.4f}",
            )
        )
    table = [tuple(map(one_line, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    names = [row.name for row in published]
    conclusions = _conclusions(names, rounded, truncated, tolerance)
    return "\n".join([*lines, "", *conclusions, *_implied(published, tolerance)])


def _conclusions(
    names: Sequence[str], rounded: set[str], truncated: set[str], tolerance: Fraction | None
) -> list[str]:
    allowed = "as printed" if tolerance is None else f"within {float(tolerance):g}"
    unexplained = [one_line(name) for name in names if name not in rounded | truncated]
    if len(unexplained) == len(names):
        lines = [f"No confusion matrix over any of these sets gives any row {allowed}."]
    elif unexplained:
        lines = [f"No confusion matrix gives, {allowed}: {', '.join(unexplained)}."]
    else:
        lines = [f"Every row has a confusion matrix {allowed}."]
    if cut := [one_line(name) for name in names if name in truncated - rounded]:
        lines.append(f"Only if further digits were cut off, not rounded: {', '.join(cut)}.")
    return lines


def _implied(published: Sequence[Published], tolerance: Fraction | None) -> list[str]:
    """Return the range of the share of positives that each row implies, given its rounding.

    Neither rounding nor truncation gives a metric below 0 or above 1. A share above 1 is the share
    of no set. That no share is within every range is concluded only if truncation does not help.
    """
    lines, ranges = [], []
    for row in published:
        recall = "recall" if "recall" in row.metrics else "sensitivity"
        names = ("accuracy", "precision", recall)
        if not all(name in row.metrics for name in names):
            continue
        values = [(row.metrics[name], row.decimals[name]) for name in names]
        rounded = _shares([rounded_range(*value, tolerance) for value in values])
        truncated = _shares([truncated_range(*value) for value in values])
        if rounded is None:
            continue
        low, high = rounded
        share = f"{float(low):.1%} to {float(high):.1%}" if low <= 1 else "none from 0 to 100 %"
        lines.append(f"  {one_line(row.name)}: {share}")
        if tolerance is None:
            # A metric that was truncated from 1 may be that of any share.
            cut_low, cut_high = truncated or (Fraction(0), Fraction(1))
            low, high = min(low, cut_low), max(high, cut_high)
        ranges.append((low, high))
    if not lines:
        return []
    if max(low for low, _ in ranges) > min(high for _, high in ranges):
        lines.append("No one share is within every range: the rows are not metrics of one set.")
    return ["", "Share of positives that accuracy, precision and recall need:", *lines]


def _shares(ranges: Sequence[Range]) -> tuple[Fraction, Fraction] | None:
    """Return the least and the greatest share of positives, at most 1, over ranges of metrics.

    The share is monotone in each metric, so that its extremes lie at corners. None where a corner
    implies no share.
    """
    ends = [[min(max(end, Fraction(0)), Fraction(1)) for end in range_[:2]] for range_ in ranges]
    shares = [implied_prevalence(*corner) for corner in itertools.product(*ends)]
    exact = [share for share in shares if isinstance(share, Fraction)]
    return (min(exact), min(max(exact), Fraction(1))) if len(exact) == len(shares) else None
