"""JAX against PyTorch on the same networks: `python -m benchmarks.throughput`.

`cases` lists the measurements, `processes` and `worker` run them, `records` stores them as JSON,
`tables`, `plots` and `page` show them. Nothing here is imported by other packages.
"""
