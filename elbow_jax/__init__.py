"""Convolutional networks in JAX that classify radiographs as normal or injury.

The commands are `train`, `evaluate`, `predict`, `export` and `porting`. For other code: `models`
builds the networks, `scoring` uses trained ones, `streaming` scores many files, `porting` exchanges
weights with PyTorch; `training`, `runtime` and `ops` serve these. Wings import JAX only when one of
their names is used.
"""

import elbow_core  # noqa: F401 - Ctrl-C while a command imports its modules
