"""How many wrong labels the label audit finds: `python -m benchmarks.labels`."""
