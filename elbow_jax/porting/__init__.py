"""Weights between timm or torchvision and Flax; published weights; the torch twin."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.porting.mapping import from_torch, new_leaves, port_backbone, to_torch
    from elbow_jax.porting.torchvision_layout import from_torchvision

__all__ = ["from_torch", "from_torchvision", "new_leaves", "port_backbone", "to_torch"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mapping": ["from_torch", "new_leaves", "port_backbone", "to_torch"],
        "torchvision_layout": ["from_torchvision"],
    },
)
