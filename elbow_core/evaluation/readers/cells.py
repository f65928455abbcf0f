"""Numbers and names as text cells."""

import math

from elbow_core.evaluation.statistics.multireader import Estimate, Population, ReaderMetric

METRICS: dict[ReaderMetric, str] = {
    "auroc": "AUROC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
POPULATION_NAMES: dict[Population, str] = {
    "random": "random readers and random cases",
    "fixed_readers": "these readers and random cases",
    "fixed_cases": "random readers and these cases",
}
UNDEFINED = "–"


def number(value: float, decimals: int = 3) -> str:
    """Format a number; a dash where it is undefined."""
    return UNDEFINED if math.isnan(value) else f"{value:.{decimals}f}"


def small(value: float) -> str:
    """Format a variance with three digits, such as ``3.44e-04``."""
    return UNDEFINED if math.isnan(value) else f"{value:.2e}"


def estimate(of: Estimate, decimals: int = 3) -> str:
    """Format as ``0.897 (0.825 to 0.969)``; without ends where there is no interval."""
    if math.isnan(of.low):
        return number(of.value, decimals)
    return f"{of.value:.{decimals}f} ({of.low:.{decimals}f} to {of.high:.{decimals}f})"


def difference(of: Estimate) -> str:
    """Format a difference, which is small, with four decimals."""
    return estimate(of, 4)


def p_value(p: float) -> str:
    """Format with three decimals, or as ``<0.001``; a dash where it is undefined."""
    return UNDEFINED if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def freedom(df: float) -> str:
    """Format degrees of freedom; an infinite number is that of the normal distribution."""
    return "∞" if math.isinf(df) else number(df, 1)


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[0].upper() + text[1:]
