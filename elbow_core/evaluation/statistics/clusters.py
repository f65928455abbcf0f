"""Patients as clusters: images of one patient are dependent, so the bootstrap draws patients."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from elbow_core.identity import normalise_id

DRAWS = 2000
# Draws are made in blocks that fit the cache; the block size does not change the draws.
BLOCK_ELEMENTS = 1 << 17


def clusters_of(patient_id: Shaped[np.ndarray, " images"]) -> Int64[np.ndarray, " images"]:
    """Number the patients from 0; an image without a patient is a patient of its own.

    Patients are compared by `elbow_core.identity.normalise_id`, and numbered in the order of their
    first spelling.
    """
    spellings, spelling = np.unique(patient_id, return_inverse=True)
    numbers: dict[str, int] = {}
    of_spelling = np.array(
        [
            numbers.setdefault(key, len(numbers)) if key else -1
            for key in map(normalise_id, spellings.tolist())
        ],
        np.int64,
    )
    numbered = of_spelling[spelling.reshape(-1)]
    unknown = numbered < 0
    numbered[unknown] = len(numbers) + np.arange(np.count_nonzero(unknown))
    return numbered


def effective_size(
    successes: Bool[np.ndarray, " images"],
    clusters: Int64[np.ndarray, " images"],
    weights: Float64[np.ndarray, " images"] | None = None,
) -> float:
    """Return the number of independent images with the variance of these clustered ``successes``.

    It is the number of images divided by the design effect of the ratio estimator, limited to the
    range from fully dependent to fully independent images of a patient. With one image per patient
    it is the number of images; with no images it is 0. With ``weights``, above 0, it belongs to the
    weighted share of successes, and Kish's effective number replaces that of images.

    References: Rao and Scott, Biometrics 48:577 (1992); Kish, Survey Sampling (1965).
    """
    if not successes.size:
        return 0.0
    weight = np.ones(successes.size) if weights is None else weights
    total = float(weight.sum())
    n = total**2 / float(np.sum(weight**2))
    _, cluster, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if sizes.size == successes.size:
        return n
    least = total**2 / float(np.sum(np.bincount(cluster, weights=weight) ** 2))
    proportion = float(np.sum(weight[successes])) / total
    residuals = np.bincount(cluster, weights=weight * (successes - proportion))
    if sizes.size == 1 or successes.all() or not successes.any():
        # Without spread the dependence cannot be estimated: assume full dependence.
        return least
    variance = sizes.size / (sizes.size - 1) * np.sum(residuals**2) / total**2
    if variance == 0:
        return n
    return float(np.clip(proportion * (1 - proportion) / variance, least, n))


def multiplicities(
    clusters: int, draws: int, seed: int, width: int
) -> Iterator[Int64[np.ndarray, "block clusters"]]:
    """Yield, block by block, how often each draw with replacement contains each cluster.

    ``width`` is the length of the longest row that the caller computes from one draw.
    """
    generator = np.random.default_rng(seed)
    block = max(1, BLOCK_ELEMENTS // max(clusters, width))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        drawn = generator.integers(0, clusters, (rows, clusters))
        drawn += clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)
