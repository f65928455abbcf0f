"""Convolutional networks in JAX that classify radiographs as normal or injury.

The commands are `train`, `evaluate`, `predict`, `explain`, `export` and `porting`. For other code:
`create` returns a network with its variables, `models` builds the networks, `scoring` uses trained
ones, `explain` makes heat maps of them, `streaming` scores many files, `porting` exchanges
weights with PyTorch; `training`, `runtime` and `ops` serve these. Wings import JAX only when one of
their names is used.
"""

from typing import TYPE_CHECKING

import lazy_loader

import elbow_core  # noqa: F401 - Ctrl-C while a command imports its modules

if TYPE_CHECKING:
    from elbow_jax.creation import Network, create

__all__ = ["Network", "create"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__, submod_attrs={"creation": ["Network", "create"]}
)
