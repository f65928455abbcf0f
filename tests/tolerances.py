"""Every tolerance of the tests; loosening one needs its reason in docs/decisions.md."""

OPTIMIZER = 1e-6
"""Rates and parameters against torch's optimiser, absolute."""

LOWERING = 1e-5
"""A hand-written convolution, value and gradients, against `jax.lax`, relative to their scale."""
LAYER = 1e-5
"""One layer or block against torch, relative to its output's scale."""
NETWORK = 1e-4
"""A whole network's features and logits against torch, relative to their scale."""
GRADIENT = 1e-4
"""A tensor's gradient against torch in float64, relative to the tensor's own scale ..."""
GRADIENT_FLOOR = 1e-6
"""... or to the largest gradient of the network, where a tensor's own is all rounding."""
FULL_GRADIENT = 5e-4
"""The same through a full network, relative to its largest gradient: near a kink of a ReLU or a
tie of a maximum, float32 falls on either side. Torch's own float32 is ten times further off."""
STATISTICS = 1e-5
"""Running statistics after one step against torch, relative to their scale."""
BFLOAT16 = 0.05
"""Features in bfloat16 against float32, relative to their scale; its epsilon is 0.008."""
