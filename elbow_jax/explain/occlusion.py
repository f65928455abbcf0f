"""Occlusion: by how much the logit falls where a patch of the image is hidden."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32, Int32

PATCHES = 8
"""Patches along a side of the image; they move by half of their own side."""


def patch_places(size: int) -> tuple[int, Int32[np.ndarray, "patches 2"]]:
    """Return the side of the patches and the row and column of each one's upper left pixel.

    Neighbours overlap by half, and the last ones end at the edge, so that every pixel is hidden at
    least once.
    """
    side = max(size // PATCHES, 2)
    starts = np.unique(np.append(np.arange(0, size - side, side // 2), size - side))
    rows, columns = np.meshgrid(starts, starts, indexing="ij")
    return side, np.stack([rows.ravel(), columns.ravel()], axis=1).astype(np.int32)


def occlusion(
    logits_of: Callable[[Float[Array, "b size size c"]], Float32[Array, " b"]],
    image: Float[Array, "b size size c"],
    logits: Float32[Array, " b"],
) -> Float32[Array, "b size size"]:
    """Return the mean fall of the logit over the patches that hide a pixel; negative where it rose.

    A patch is filled with the image's own mean. The network runs once for each patch of
    `patch_places`, one after another, so that memory does not grow with their number.

    Args:
        logits_of: the network.
        image: normalised intensities, square.
        logits: of the whole images.

    Reference: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
    arXiv:1311.2901, section 4.2.
    """
    size = image.shape[1]
    side, places = patch_places(size)
    fill = jnp.mean(image, axis=(1, 2, 3), keepdims=True)
    pixels = jnp.arange(size)

    def hide(falls: Array, place: Array) -> tuple[Array, None]:
        rows, columns = ((pixels >= start) & (pixels < start + side) for start in place)
        hidden = (rows[:, None] & columns[None, :])[None]
        fall = logits - logits_of(jnp.where(hidden[..., None], fill, image))
        return falls + fall[:, None, None] * hidden, None

    falls, _ = lax.scan(hide, jnp.zeros(image.shape[:3], jnp.float32), jnp.asarray(places))
    return falls / _times_hidden(size)[None]


def _times_hidden(size: int) -> Float32[np.ndarray, "{size} {size}"]:
    side, places = patch_places(size)
    times = np.zeros((size, size), np.float32)
    for row, column in places.tolist():
        times[row : row + side, column : column + side] += 1
    return times
