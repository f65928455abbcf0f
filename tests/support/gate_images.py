"""Images for the tests of the input gate: radiographs of a bar of bone, and what is none."""

import cv2
import numpy as np

Images = np.ndarray
"""uint8 [N, S, S]."""


def bones(count: int, size: int, seed: int) -> tuple[Images, np.ndarray]:
    """Draw soft tissue with a shaft of bone, broken in every other image; return images, labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = []
    for label in labels:
        canvas = np.zeros((size, size), np.float32)
        centre = rng.uniform(0.45, 0.55, 2) * size
        angle = rng.uniform(-30, 30)
        for width, grey in ((0.5, 60), (0.2, 150), (0.1, 110)):
            box = (tuple(centre), (width * size, 1.6 * size), angle)
            cv2.fillPoly(canvas, [cv2.boxPoints(box).astype(np.int32)], grey + rng.uniform(-8, 8))
        if label:
            gap = (tuple(centre), (0.3 * size, 0.06 * size), angle + 15)
            cv2.fillPoly(canvas, [cv2.boxPoints(gap).astype(np.int32)], 60.0)
        canvas = cv2.GaussianBlur(canvas, (0, 0), 1.2) + rng.normal(0, 3, canvas.shape)
        images.append(np.clip(canvas, 0, 255).astype(np.uint8))
    return np.stack(images), labels


def photographs(count: int, size: int, seed: int) -> Images:
    """Draw scenes: a bright sky over a textured ground, with objects of every grey."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        horizon = int(rng.uniform(0.3, 0.6) * size)
        canvas = np.full((size, size), rng.uniform(170, 240), np.float32)
        ground = rng.normal(110, 30, (size - horizon, size))
        canvas[horizon:] = cv2.GaussianBlur(ground, (0, 0), 0.8)
        for _ in range(12):
            corners = (rng.uniform(0, size, 2) + rng.uniform(-0.2, 0.2, (4, 2)) * size).astype(int)
            cv2.fillPoly(canvas, [corners.astype(np.int32)], float(rng.uniform(0, 255)))
        images.append(np.clip(canvas, 0, 255).astype(np.uint8))
    return np.stack(images)


def others(count: int, size: int, seed: int) -> dict[str, Images]:
    """Return images by what they are, all of which a gate fitted on `bones` has to flag."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (count, 1, 1))
    nearly = np.clip(grey + rng.normal(0, 1, (count, size, size)), 0, 255)
    return {
        "photographs": photographs(count, size, seed),
        "noise": rng.integers(0, 256, (count, size, size)).astype(np.uint8),
        "blank": np.broadcast_to(grey, (count, size, size)).astype(np.uint8),
        "nearly blank": nearly.astype(np.uint8),
        "inverted": 255 - bones(count, size, seed + 1)[0],
    }
