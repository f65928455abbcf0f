"""The loop around the steps: engine, checkpoints, run directory, first weights, leakage check."""
