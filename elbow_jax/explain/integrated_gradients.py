"""Integrated gradients: the logit's difference to that of a blank image, shared out over pixels."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, PyTree


def integrated_gradients(
    logits_of: Callable[[PyTree], Float32[Array, " b"]],
    images: PyTree,
    baselines: PyTree,
    steps: int,
) -> PyTree:
    """Return the attribution of each pixel, in the shapes of ``images``.

    The integral along the straight path from baseline to image is Gauss and Legendre's. All
    attributions of an image sum up to ``logits_of(images) - logits_of(baselines)``
    (completeness), up to the error of that integral.

    Args:
        logits_of: the network, from images to one logit each.
        images: normalised intensities [B, H, W, C], or several such arrays that enter it.
        baselines: the images in which there is nothing to see, of the same shapes.
        steps: points of the integral, each a forward and a backward pass.

    Reference: Sundararajan et al., "Axiomatic attribution for deep networks", ICML 2017,
    arXiv:1703.01365.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    gradient_of = jax.grad(lambda images: logits_of(images).sum())

    def add(total: PyTree, point: tuple[Array, Array]) -> tuple[PyTree, None]:
        place, weight = point
        between = jax.tree.map(lambda image, base: base + place * (image - base), images, baselines)
        gradient = gradient_of(between)
        return jax.tree.map(lambda total, slope: total + weight * slope, total, gradient), None

    points = jnp.asarray((nodes + 1) / 2, jnp.float32), jnp.asarray(weights / 2, jnp.float32)
    total, _ = lax.scan(add, jax.tree.map(jnp.zeros_like, images), points)
    return jax.tree.map(lambda image, base, slope: (image - base) * slope, images, baselines, total)
