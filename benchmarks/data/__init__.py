"""Speed and memory of preparing and loading data: `python -m benchmarks.data`."""
