"""The networks in PyTorch, on timm's backbones: `build_twin`. The modules of this wing need torch.

`define_missing_torchvision_operators` makes timm importable where the builds of torch and
torchvision do not match.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.porting.twin.networks import build_twin
    from elbow_jax.porting.twin.torchvision_operators import define_missing_torchvision_operators

__all__ = ["build_twin", "define_missing_torchvision_operators"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "networks": ["build_twin"],
        "torchvision_operators": ["define_missing_torchvision_operators"],
    },
)
