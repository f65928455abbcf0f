"""The exact values that a printed metric may have had before it was rounded or truncated."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

from elbow_core.evaluation.statistics.confusion import Confusion


class Range(NamedTuple):
    """From ``low`` to ``high``; an end belongs to the range if it is closed."""

    low: Fraction
    high: Fraction
    low_closed: bool = True
    high_closed: bool = True

    def admits(self, compare: Callable[[Fraction], int]) -> bool:
        """Return whether a value is in the range; ``compare`` gives its sign minus a bound."""
        above, below = compare(self.low), compare(self.high)
        return (above > 0 or (above == 0 and self.low_closed)) and (
            below < 0 or (below == 0 and self.high_closed)
        )


def exact(value: float | Fraction) -> Fraction:
    """Return the decimal number that a float is printed as; a fraction is returned as it is."""
    return value if isinstance(value, Fraction) else Fraction(repr(float(value)))


def rounded_range(
    value: float | Fraction, decimals: int, tolerance: float | Fraction | None = None
) -> Range:
    """Return what rounds to ``value``: both ends count, as half-up and half-even rounding differ.

    ``tolerance`` replaces half a unit of the last decimal.
    """
    half = Fraction(1, 2 * 10**decimals) if tolerance is None else exact(tolerance)
    return Range(exact(value) - half, exact(value) + half)


def truncated_range(value: float | Fraction, decimals: int) -> Range:
    """Return what is cut off, towards 0, to ``value``; a printed 0 may be cut from either side."""
    unit, middle = Fraction(1, 10**decimals), exact(value)
    if middle == 0:
        return Range(-unit, unit, low_closed=False, high_closed=False)
    if middle > 0:
        return Range(middle, middle + unit, high_closed=False)
    return Range(middle - unit, middle, low_closed=False)


def readings(
    metrics: Mapping[str, float | Fraction],
    decimals: Mapping[str, int],
    tolerance: float | Fraction | None,
) -> tuple[dict[str, Range], dict[str, Range] | None]:
    """Return the range of each metric if it was rounded, and if it was truncated.

    With a ``tolerance`` there is no second reading.
    """
    rounded = {
        name: rounded_range(value, decimals[name], tolerance) for name, value in metrics.items()
    }
    if tolerance is not None:
        return rounded, None
    return rounded, {
        name: truncated_range(value, decimals[name]) for name, value in metrics.items()
    }


def confusion_lies_in(matrix: Confusion, reading: Mapping[str, Range]) -> bool:
    """Return, in whole numbers, whether every metric of a matrix is defined and in its range."""
    return all(
        compare is not None and range_.admits(compare)
        for name, range_ in reading.items()
        for compare in [_comparison(matrix, name)]
    )


def _comparison(matrix: Confusion, name: str) -> Callable[[Fraction], int] | None:
    """Return a function that compares a metric of a matrix with a number; None if undefined."""
    tp, fp, tn, fn = matrix
    if name == "mcc":
        square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return _compare_to_root(tp * tn - fp * fn, square) if square else None
    numerator, denominator = _quotient(matrix, name)
    if not denominator:
        return None
    value = Fraction(numerator, denominator)
    return lambda bound: (value > bound) - (value < bound)


def _compare_to_root(numerator: int, square: int) -> Callable[[Fraction], int]:
    """Return a function that compares numerator / sqrt(square) with a number."""

    def compare(bound: Fraction) -> int:
        # The map x -> x |x| keeps the order.
        left = Fraction(numerator * abs(numerator), square)
        right = bound * abs(bound)
        return (left > right) - (left < right)

    return compare


def _quotient(matrix: Confusion, name: str) -> tuple[int, int]:
    """Return numerator and denominator of a metric; the denominator of an undefined one is 0."""
    tp, fp, tn, fn = matrix
    positives, negatives, n = tp + fn, tn + fp, sum(matrix)
    chance = (tp + fp) * positives + (tn + fn) * negatives
    return {
        "accuracy": (tp + tn, n),
        "precision": (tp, tp + fp),
        "recall": (tp, positives),
        "sensitivity": (tp, positives),
        "specificity": (tn, negatives),
        "npv": (tn, tn + fn),
        "f1": (2 * tp, 2 * tp + fp + fn),
        "kappa": ((tp + tn) * n - chance, n * n - chance),
        "balanced_accuracy": (tp * negatives + tn * positives, 2 * positives * negatives),
    }[name]
