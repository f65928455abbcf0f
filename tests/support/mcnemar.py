"""Two forms of McNemar's test that serve as oracles for the mid-p and the clustered form."""

import math

from scipy.stats import binom


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p from the two discordant counts; 1 where both are 0.

    Reference: McNemar, Psychometrika 12:153 (1947).
    """
    fewer, total = min(only_first, only_second), only_first + only_second
    return float(min(1.0, 2 * binom.cdf(fewer, total, 0.5)))


def mcnemar_statistic(only_first: int, only_second: int) -> float:
    """Return McNemar's chi-square without continuity correction; nan where both counts are 0."""
    total = only_first + only_second
    return (only_first - only_second) ** 2 / total if total else math.nan
