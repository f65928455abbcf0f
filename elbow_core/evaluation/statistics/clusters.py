"""Patients as clusters: a patient's images are not independent, so patients are what is drawn."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int64, Shaped

# Draws are made in blocks that stay in cache; the numbers drawn do not depend on the block.
BLOCK_ELEMENTS = 1 << 17


def clusters_of(patient_id: Shaped[np.ndarray, " images"]) -> Int64[np.ndarray, " images"]:
    """The patient of each image, numbered from 0; an image without a patient is its own."""
    unknown = patient_id == ""
    _, clusters = np.unique(patient_id[~unknown], return_inverse=True)
    numbered = np.empty(patient_id.size, np.int64)
    numbered[~unknown] = clusters
    known = int(clusters.max()) + 1 if clusters.size else 0
    numbered[unknown] = known + np.arange(np.count_nonzero(unknown))
    return numbered


def effective_size(
    successes: Bool[np.ndarray, " images"], clusters: Int64[np.ndarray, " images"]
) -> float:
    """How many independent images would give the proportion of ``successes`` its variance.

    The number of images over the design effect of the ratio estimator, kept between what wholly
    dependent and wholly independent images of a patient would give. One image a patient gives the
    number of images; so does none, 0.

    Reference: Rao and Scott, Biometrics 48:577 (1992).
    """
    n = successes.size
    _, cluster, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if sizes.size == n:
        return float(n)
    least = n**2 / float(np.sum(sizes**2))
    proportion = np.count_nonzero(successes) / n
    residuals = np.bincount(cluster, weights=successes - proportion)
    if sizes.size == 1 or proportion in (0, 1):
        # No spread to estimate dependence from: assume the most.
        return least
    variance = sizes.size / (sizes.size - 1) * np.sum(residuals**2) / n**2
    if variance == 0:
        return float(n)
    return float(np.clip(proportion * (1 - proportion) / variance, least, n))


def multiplicities(
    clusters: int, draws: int, seed: int, width: int
) -> Iterator[Int64[np.ndarray, "block clusters"]]:
    """How often each cluster is drawn, with replacement, in each draw; block by block.

    ``width`` is the length of the longest row the caller makes of one draw.
    """
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK_ELEMENTS // max(clusters, width))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        drawn = generator.integers(0, clusters, (rows, clusters))
        drawn += clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)
