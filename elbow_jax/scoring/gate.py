"""The input gate: does an image look like those that a network learnt from?

Two vectors of each image are judged: the pooled features of the network, and three statistics of
its grey levels. Each has a distance: Mahalanobis' to the nearer of the two classes' means, under
one covariance. It counts in units of the largest distance that passes, so that an image above 1 in
either is unlike the training images. What the gate says never changes a score.

References: Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
Adversarial Attacks, NeurIPS (2018), arXiv 1807.03888, for the distance; Ledoit and Wolf, Journal of
Multivariate Analysis 88:365 (2004), for the covariance; Bates et al., Testing for Outliers with
Conformal p-values, Annals of Statistics 51:149 (2023), arXiv 2104.08279, for the limit.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int64, UInt8

from elbow_jax.scoring.ensembles import EvalStep
from elbow_jax.steps import normalise

FALSE_ALARMS = 0.05
"""Share of images like the training images that are called unlike them, at most."""
KINDS = ("features", "grey_levels")
"""The vectors that are judged; each may cause half of the false alarms."""
GREY_STATISTICS = 3
FEWEST_IMAGES = math.ceil(len(KINDS) / FALSE_ALARMS) - 1
"""Validation images below which no limit can be given."""

GATE = "gate/"
"""How the names of the statistics in a file of weights begin."""

Statistics = Mapping[str, Mapping[str, Any]]
"""By kind: `means` float32 [2, D] and `whitening` float32 [D, D]."""

_FAR = float(np.finfo(np.float32).max)
_SMALLEST_DEVIATION = 0.01  # of a component, relative to the mean of all


def grey_statistics(
    image: UInt8[Array, "batch height width 1"],
) -> Float32[Array, "batch 3"]:
    """Return mean, standard deviation and mean absolute step between neighbours, white being 1.

    A blank image has no deviation, noise large steps, and an inverted radiograph a high mean.
    """
    grey = image[..., 0].astype(jnp.float32) / 255.0
    rows, columns = (jnp.abs(jnp.diff(grey, axis=axis)).mean((1, 2)) for axis in (1, 2))
    return jnp.stack([grey.mean((1, 2)), grey.std((1, 2)), (rows + columns) / 2], axis=1)


def make_feature_step(apply: Callable[..., Any], dtype: Any) -> EvalStep:
    """Return the pure function ``(variables, batch) -> table``, float32 [B, 1 + 3 + F].

    The columns are the logit, the statistics of grey levels and the pooled features.
    """

    def feature_step(variables: Any, batch: Mapping[str, Array]) -> Float32[Array, "batch columns"]:
        image = batch["image"]
        logits, endpoints = apply(variables, normalise(image, dtype), train=False)
        features = endpoints["features"].astype(jnp.float32)
        return jnp.concatenate([logits[:, None], grey_statistics(image), features], axis=1)

    return feature_step


def make_gated_step(feature_step: EvalStep) -> EvalStep:
    """Return the pure function ``((variables, statistics), batch) -> table``, float32 [B, 2].

    The columns are the logit and the larger of the two distances; above 1 an image is unlike.
    """

    def gated_step(model: Any, batch: Mapping[str, Array]) -> Float32[Array, "batch 2"]:
        variables, statistics = model
        table = feature_step(variables, batch)
        found = [distances(statistics[kind], part) for kind, part in split_table(table).items()]
        # A distance that overflows is a large one, and no reason to give no score.
        largest = jnp.nan_to_num(jnp.maximum(*found), nan=_FAR, posinf=_FAR)
        return jnp.stack([table[:, 0], largest], axis=1)

    return gated_step


def split_table(table: Any) -> dict[str, Any]:
    """Return the vectors to be judged, by kind, from a table of `make_feature_step`."""
    return {
        "features": table[:, 1 + GREY_STATISTICS :],
        "grey_levels": table[:, 1 : 1 + GREY_STATISTICS],
    }


def gate_shapes(network: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the statistics by name, for a network's variables by path."""
    head = network.get("params/head/kernel") or network["params/head/hidden/kernel"]
    widths = dict(zip(KINDS, (head[0], GREY_STATISTICS), strict=True))
    means = {f"{GATE}{kind}/means": (2, width) for kind, width in widths.items()}
    return means | {f"{GATE}{kind}/whitening": (width, width) for kind, width in widths.items()}


def distances(
    statistics: Mapping[str, Any], vectors: Float32[Array, "batch size"]
) -> Float32[Array, " batch"]:
    """Return Mahalanobis' distance of each vector to the nearer mean."""
    offsets = vectors[:, None, :] - statistics["means"][None]
    return jnp.linalg.norm(offsets @ statistics["whitening"].T, axis=-1).min(axis=1)


def fit_gate(
    training: Float32[np.ndarray, "images columns"],
    labels: Int64[np.ndarray, " images"],
    validation: Float32[np.ndarray, "others columns"],
) -> dict[str, dict[str, np.ndarray]] | None:
    """Fit the statistics on training images and their limits on validation images.

    The limit is the distance that at most half of `FALSE_ALARMS` of new images exceed, if images
    are exchangeable with those of validation: the conformal quantile.

    Args:
        training: their table of `make_feature_step`, without augmentation.
        labels: of the training images, 0 or 1, both present.
        validation: table of the validation images.

    Returns:
        `Statistics` in units of the limit; None if there are too few validation images, or all
        training images have the same vectors.
    """
    if len(validation) < FEWEST_IMAGES:
        return None
    fitted = {}
    others = split_table(validation)
    for kind, vectors in split_table(training).items():
        statistics = _fit(vectors.astype(np.float64), labels)
        if statistics is None:
            return None
        found = np.sort(np.asarray(distances(statistics, jnp.asarray(others[kind]))))
        rank = math.ceil((len(found) + 1) * (1 - FALSE_ALARMS / len(KINDS)))
        limit = found[rank - 1]
        if not limit > 0:
            return None
        fitted[kind] = {**statistics, "whitening": statistics["whitening"] / limit}
    return fitted


def _fit(vectors: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray] | None:
    """Return the means, and the whitening of the covariance within classes, shrunk."""
    from sklearn.covariance import ledoit_wolf  # takes a second, and few commands need it

    means = np.stack([vectors[labels == label].mean(axis=0) for label in (0, 1)])
    centred = vectors - means[labels]
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    if not deviation.any():
        return None
    # Shrinkage is towards equal variances, so the components get one scale first. One that is
    # constant in training, as a dead unit, keeps a small one, in which any change is far.
    scale = np.maximum(deviation, _SMALLEST_DEVIATION * deviation.mean())
    covariance, _ = ledoit_wolf(centred / scale, assume_centered=True)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)) / scale
    return {"means": means.astype(np.float32), "whitening": whitening.astype(np.float32)}
