"""Benchmarks, each a command run from the repository root: `python -m benchmarks.throughput`.

`throughput` compares JAX with PyTorch, `compile` times XLA, `data` times preparing and loading,
`scoring` times files in to scores out, `learning` trains the same network in both frameworks.
`architecture_trace` counts the parameters and multiply-adds of a network; scripts may import it.
"""

import elbow_core  # noqa: F401 - Ctrl-C while a command imports its modules
