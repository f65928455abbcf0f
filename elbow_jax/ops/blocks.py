"""Equal blocks in a row: compiled as a loop or written out, and what they save for the gradient.

A block saves its input and the arrays that are expensive to compute; the backward pass recomputes
the others, each of which is one pass over memory (Chen et al., 2016, arXiv:1604.06174). Layers mark
these arrays with `jax.ad_checkpoint.checkpoint_name`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax

SAVED = (
    "product",  # the result of a convolution or matrix product
    "statistic",  # mean, variance or rate of a normalisation
    "expanded",  # the wide result of a fused block, which the projection reads
    "gate_input",  # the input of a channel gate: products with the gate and its gradient read it
    "squeezed",  # the pooled vector of a channel gate
    "gated",  # the result of a channel gate, which the projection reads
    "padded",  # the padded input of a depthwise convolution, where blocks are written out
)


def repeated(block: type[nn.Module], depth: int, scan: bool) -> Callable[..., nn.Module]:
    """`depth` equal blocks as one module, whose variables are stacked along axis 0.

    The block is called with `(x, rate, train)` and returns `(x, None)`; the row is called with one
    rate of stochastic depth for each block.

    Args:
        block: the class of the block.
        depth: number of blocks.
        scan: compile one block and loop over it. Otherwise all blocks are compiled, which takes
            longer and, on a CPU, runs faster.
    """
    # A loop, as on an accelerator, pads again: there the padding is a part of the convolution.
    saved = [name for name in SAVED if not (scan and name == "padded")]
    policy = jax.checkpoint_policies.save_only_these_names(*saved)
    # Blocks that are written out hide the recomputation from XLA, which would otherwise find it
    # equal to the forward pass and save the arrays after all.
    saving = nn.remat(block, prevent_cse=not scan, static_argnums=(3,), policy=policy)
    return nn.scan(
        saving,
        variable_axes={"params": 0, "batch_stats": 0},
        split_rngs={"params": True, "dropout": True},
        in_axes=(0, nn.broadcast),  # pyright: ignore[reportArgumentType]
        length=depth,
        unroll=1 if scan else depth,
    )
