"""What `scripts/benchmark_data.py` is made of beside its benchmarks: images and measuring."""
