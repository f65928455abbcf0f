"""What XLA needs on a CPU; README.md says what, why, and how it is verified."""
