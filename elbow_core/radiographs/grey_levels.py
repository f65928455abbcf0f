"""Scale grey levels of any depth to 0 to 255."""

import numpy as np
from jaxtyping import Bool, Shaped, UInt8


def scale_to_8_bits(
    image: Shaped[np.ndarray, "height width"],
    shown: Bool[np.ndarray, "height width"] | None = None,
) -> UInt8[np.ndarray, "height width"]:
    """Scale grey levels, integer or float, linearly from the image's own range to 0 to 255.

    Pixels that are not ``shown`` are excluded from the range and become 0. A constant image becomes
    0 everywhere.
    """
    levels = image if shown is None else image[shown]
    if levels.size == 0 or levels.min() == levels.max():
        return np.zeros(image.shape, np.uint8)
    low, high = float(levels.min()), float(levels.max())
    scaled = np.rint((image.astype(np.float64) - low) * (255.0 / (high - low)))
    if shown is not None:
        scaled[~shown] = 0
    return scaled.astype(np.uint8)
