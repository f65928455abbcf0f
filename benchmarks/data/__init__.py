"""How fast data is prepared and loaded: `python -m benchmarks.data`."""
