"""Every tolerance of the tests; loosening one needs its reason in docs/decisions/networks.md."""

OPTIMIZER = 1e-6
"""Rates and parameters against torch's optimiser, absolute."""

LOWERING = 1e-5
"""A hand-written convolution, value and gradients, against `jax.lax`, relative to their scale."""
LAYER = 3e-5
"""One layer or block against torch in float64, relative to its output's scale."""
NETWORK = 1e-4
"""A whole network's features and logits against torch, relative to their scale."""
GRADIENT = 1e-3
"""A tensor's gradient against torch in float64, relative to the tensor's own scale; in a full
network, to its largest gradient. Near the kink of a ReLU or a tie of a maximum, float32 falls on
either side; torch's own float32 is up to fifty times further off than these networks are."""
GRADIENT_FLOOR = 1e-6
"""What a gradient may be off besides, relative to the network's largest: some are all rounding."""
STATISTICS = 1e-5
"""Running statistics after one step against torch, relative to their scale."""
BFLOAT16 = 0.1
"""Features in bfloat16 against float32, relative in the 2-norm; its epsilon is 0.008."""
DEVICES = 1e-5
"""Losses and figures of a run against the same run on other devices, absolute."""
BFLOAT16_LOSS = 0.02
"""An epoch's mean loss in bfloat16 against float32, absolute; it begins at about 0.7."""
EXPORT = 1e-5
"""Scores of exported models against `predict`, absolute; its table rounds to 1e-6."""
