"""What a command line needs to know of the methods, without JAX."""

METHODS = ("grad_cam", "hires_cam", "occlusion", "integrated_gradients")

STEPS = 256
"""Points of the path of integrated gradients, unless another number is asked for."""
