"""Compile time of each network, blocks scanned and unrolled: `python -m benchmarks.compile`."""
