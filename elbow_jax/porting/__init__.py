"""Exchange of weights with PyTorch: timm, torchvision, and a torch twin of each network.

`port_backbone` fills a Flax network from timm's tensors; `to_torch` and `from_torch` convert a
whole network; `build_twin` builds the PyTorch network that loads the result. An ensemble has
`ensemble_to_torch` and `build_ensemble_twin`. `read_weights` and
`start_from_weights` go from a published tag or a local file to variables.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.porting.checkpoints import PUBLISHED, write_tensors
    from elbow_jax.porting.ensemble_twin import build_ensemble_twin
    from elbow_jax.porting.layouts import from_torchvision
    from elbow_jax.porting.mapping import (
        ensemble_to_torch,
        from_torch,
        new_leaves,
        port_backbone,
        to_torch,
    )
    from elbow_jax.porting.onnx_files import ONNX_MARK, write_onnx
    from elbow_jax.porting.ported_files import write_ported
    from elbow_jax.porting.reading import read_weights
    from elbow_jax.porting.released_tensors import released_to_torch
    from elbow_jax.porting.twin import build_twin, define_missing_torchvision_operators
    from elbow_jax.porting.weights import Weights, plain_network, start_from_weights

__all__ = [
    "ONNX_MARK",
    "PUBLISHED",
    "Weights",
    "build_ensemble_twin",
    "build_twin",
    "define_missing_torchvision_operators",
    "ensemble_to_torch",
    "from_torch",
    "from_torchvision",
    "new_leaves",
    "plain_network",
    "port_backbone",
    "read_weights",
    "released_to_torch",
    "start_from_weights",
    "to_torch",
    "write_onnx",
    "write_ported",
    "write_tensors",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkpoints": ["PUBLISHED", "write_tensors"],
        "ensemble_twin": ["build_ensemble_twin"],
        "layouts": ["from_torchvision"],
        "mapping": ["ensemble_to_torch", "from_torch", "new_leaves", "port_backbone", "to_torch"],
        "onnx_files": ["ONNX_MARK", "write_onnx"],
        "ported_files": ["write_ported"],
        "reading": ["read_weights"],
        "released_tensors": ["released_to_torch"],
        "twin": ["build_twin", "define_missing_torchvision_operators"],
        "weights": ["Weights", "plain_network", "start_from_weights"],
    },
)
