"""Names and layouts of tensors: `tables` from Flax to timm, and other libraries' names for timm's.

`leaves` yields every leaf of a network's variables with its keys in the torch twin.
"""

from elbow_jax.porting.layouts.facebook_names import from_facebook, has_facebook_names
from elbow_jax.porting.layouts.tables import (
    FUSED,
    INVERTED_RESIDUAL,
    LEAVES,
    SEPARABLE,
    Leaf,
    ignored,
    is_new,
    leaves,
    stem_key,
)
from elbow_jax.porting.layouts.torchvision_names import from_torchvision, has_torchvision_names

__all__ = [
    "FUSED",
    "INVERTED_RESIDUAL",
    "LEAVES",
    "SEPARABLE",
    "Leaf",
    "from_facebook",
    "from_torchvision",
    "has_facebook_names",
    "has_torchvision_names",
    "ignored",
    "is_new",
    "leaves",
    "stem_key",
]
