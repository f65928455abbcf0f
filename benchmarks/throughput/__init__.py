"""JAX against PyTorch on the same networks: `python -m benchmarks.throughput`.

`cases` lists the measurements, `measuring` runs them in processes, `results` stores and shows them.
Nothing here is imported by other packages.
"""
