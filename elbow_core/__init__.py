"""The data and evaluation core that `elbow_jax` and `vlm_torch` share, without JAX and torch.

`config`, `radiographs`, `sources`, `dataset`, `prepare` and `evaluation` are its wings; the modules
beside them are their common base: errors, commands, signals, worker processes, atomic files,
progress, run directories.
"""
