"""JAX against PyTorch: cases, workers, records, tables and plots."""
