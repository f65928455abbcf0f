"""How long each network takes to compile: `python -m benchmarks.compile`."""
