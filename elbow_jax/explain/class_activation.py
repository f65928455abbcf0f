"""Class activation maps: Grad-CAM and HiResCAM, from feature maps and their gradients.

Both are evidence for injury where they are positive. Where the logit depends on a feature map
through its mean alone, as in the networks here, its gradient is the same at every pixel, so that
the two are equal at the last feature map and their sum over the pixels is the gradient times the
pooled vector; for MobileNetV3 and EfficientNetV2, whose head is linear, that is the logit without
its bias. They differ at earlier layers.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32


def grad_cam(
    feature_map: Float[Array, "b h w c"], gradient: Float[Array, "b h w c"]
) -> Float32[Array, "b h w"]:
    """Return the feature map weighted by the mean gradient of each channel, with its sign.

    Reference: Selvaraju et al., "Grad-CAM", ICCV 2017, arXiv:1610.02391, before their ReLU.
    """
    weights = jnp.mean(gradient.astype(jnp.float32), axis=(1, 2), keepdims=True)
    return jnp.sum(weights * feature_map.astype(jnp.float32), axis=-1)


def hires_cam(
    feature_map: Float[Array, "b h w c"], gradient: Float[Array, "b h w c"]
) -> Float32[Array, "b h w"]:
    """Return the sum over channels of feature map times gradient, with its sign.

    Reference: Draelos and Carin, "HiResCAM", 2020, arXiv:2011.08891, before their ReLU.
    """
    return jnp.sum(gradient.astype(jnp.float32) * feature_map.astype(jnp.float32), axis=-1)


def interpolation(size: int, cells: int) -> Float32[np.ndarray, "size cells"]:
    """Return the weights of ``cells`` values in each of ``size`` pixels along one axis.

    Linear between the middles of the cells, constant beyond the outer ones, as `cv2.resize`.
    """
    places = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(cells))).astype(np.float32)


def enlarge(maps: Float32[Array, "b h w"], size: int) -> Float32[Array, "b size size"]:
    """Return maps bilinearly enlarged to ``size`` pixels a side."""
    rows, columns = (interpolation(size, cells) for cells in maps.shape[1:])
    return jnp.einsum("sh,bhw,tw->bst", rows, maps, columns, precision=lax.Precision.HIGHEST)


def enlarge_density(maps: Float32[Array, "b h w"], size: int) -> Float32[Array, "b size size"]:
    """Return maps enlarged so that a sum over pixels stays about what it was.

    Maps of different sizes can then be added: each value is evidence by area.
    """
    return enlarge(maps, size) * np.float32(maps.shape[1] * maps.shape[2] / size**2)
