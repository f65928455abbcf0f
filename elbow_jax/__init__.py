"""Convolutional networks in JAX that classify radiographs as normal or injury.

The commands are `train`, `evaluate`, `predict`, `explain` and `porting`. For other code: `models`
builds the networks, `scoring` uses trained ones, `explanation` makes heat maps of them, `porting`
exchanges weights with PyTorch; `training`, `runtime` and `ops` serve these. Wings import JAX only
when one of their names is used.
"""

import elbow_core  # noqa: F401 - Ctrl-C while a command imports its modules
