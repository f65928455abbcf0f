"""Pure functions on arrays: metrics, intervals, comparisons, calibration, bands, feasibility."""
