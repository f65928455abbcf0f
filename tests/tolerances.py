"""Every tolerance of the tests; loosening one needs its reason in docs/decisions.md."""

OPTIMIZER = 1e-6
"""Rates and parameters against torch's optimiser, absolute."""
