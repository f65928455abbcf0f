"""What `scripts/benchmark_throughput.py` is made of: cases, workers, records, tables and plots."""
