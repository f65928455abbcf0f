"""Write tests/support/golden/preprocess.npz, the golden pixels of the preprocessing.

python tests/support/golden/make_preprocess.py

Run it only when the preprocessing is meant to change, and record that in docs/decisions/data.md.
"""

from pathlib import Path

import numpy as np

from elbow_core.radiographs import preprocess

HEIGHT, WIDTH = 90, 70


def make_image() -> np.ndarray:
    """Return a bright shaft with a dark line on a gradient, in integer arithmetic."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = 20 + y // 3 + (x * 7 + y * 13) % 11
    image[(x > 25) & (x < 45)] += 110
    image[(x > 25) & (x < 45) & (abs(y - x - 10) < 2)] -= 60
    return image.astype(np.uint8)


if __name__ == "__main__":
    image = make_image()
    np.savez_compressed(
        Path(__file__).with_name("preprocess.npz"),
        image=image,
        elbow_48=preprocess(image, 48),
        mura_48=preprocess(image, 48, sigma=5.0),
        elbow_112=preprocess(image, 112),
        elbow_80=preprocess(image, 80),
    )
