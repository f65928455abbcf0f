"""What a block keeps for its gradient: what is dear to compute. The rest is computed again.

A block keeps the results of its convolutions and matrix products and the statistics of its
normalisations; normalised and activated arrays, which are as large, are a pass over memory each
(Chen et al., 2016, arXiv:1604.06174). What a depthwise convolution reads, and the wide result of a
fused block, would be passes over much, and are kept too.
"""

import flax.linen as nn
import jax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array

_KEPT = "kept"


def keep(x: Array) -> Array:
    """Mark an array as one that is kept."""
    return checkpoint_name(x, _KEPT)


def rematerialised(block: type[nn.Module], unroll: bool) -> type[nn.Module]:
    """A block called with `(x, rate, train)` that keeps its input and what `keep` marks.

    Unrolled blocks hide from XLA what they compute again, or it would keep it after all.
    """
    policy = jax.checkpoint_policies.save_only_these_names(_KEPT)
    return nn.remat(block, prevent_cse=unroll, static_argnums=(3,), policy=policy)
