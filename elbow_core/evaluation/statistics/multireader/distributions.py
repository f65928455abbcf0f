"""Student's t distribution, which is the normal one for infinitely many degrees of freedom.

`scipy.special` alone is imported: `scipy.stats` would take half of a command's time.
"""

import math

from scipy.special import ndtr, ndtri, stdtr, stdtrit


def t_above(value: float, df: float) -> float:
    """Return the probability of a larger value."""
    return float(ndtr(-value) if math.isinf(df) else stdtr(df, -value))


def t_quantile(probability: float, df: float) -> float:
    """Return the value below which ``probability`` lies."""
    return float(ndtri(probability) if math.isinf(df) else stdtrit(df, probability))
