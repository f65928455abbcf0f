"""The input gate: its distance, its limit, and what it flags."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import ledoit_wolf

from elbow_jax import networks
from elbow_jax.scoring import FALSE_ALARMS, FEWEST_IMAGES, fit_gate, make_feature_step
from elbow_jax.scoring.gate import distances, grey_statistics, make_gated_step, split_table
from elbow_jax.training.initial.shipped import read_shipped
from tests.support.gate_images import bones, others

SIZE = 64


def normal_table(count: int, seed: int, columns: int = 24) -> np.ndarray:
    """Draw a table whose vectors are dependent and differ in scale."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(0, 1, (columns, columns)) * np.logspace(-2, 2, columns)
    return (rng.normal(0, 1, (count, columns)) @ mixing).astype(np.float32)


def test_distance_is_mahalanobis_to_the_nearer_class_in_units_of_the_limit():
    training, labels = normal_table(300, 1), np.arange(300) % 2
    training[labels == 1] += 3.0
    validation = normal_table(100, 2)
    statistics = fit_gate(training, labels, validation)
    assert statistics is not None
    for kind, vectors in split_table(training.astype(np.float64)).items():
        means = [vectors[labels == label].mean(axis=0) for label in (0, 1)]
        centred = np.concatenate([vectors[labels == label] - means[label] for label in (0, 1)])
        scale = np.sqrt(np.mean(centred**2, axis=0))
        scale = np.maximum(scale, 0.01 * scale.mean())
        covariance = ledoit_wolf(centred / scale, assume_centered=True)[0] * np.outer(scale, scale)
        inverse = np.linalg.inv(covariance)
        others = split_table(validation)[kind]
        expected = [min(mahalanobis(row, mean, inverse) for mean in means) for row in others]
        limit = np.sort(expected)[99 - 1]  # the rank is 101 * 0.975, rounded up
        found = distances(statistics[kind], jnp.asarray(others))
        np.testing.assert_allclose(found, np.array(expected) / limit, rtol=2e-3)


def test_at_most_the_promised_share_of_like_images_is_flagged():
    """Over validation sets, which is what the conformal quantile promises."""
    shares = []
    for seed in range(30):
        training = normal_table(200, 3 * seed)
        statistics = fit_gate(training, np.arange(200) % 2, normal_table(60, 3 * seed + 1))
        assert statistics is not None
        fresh = split_table(normal_table(400, 3 * seed + 2))
        found = [distances(statistics[kind], jnp.asarray(part)) for kind, part in fresh.items()]
        shares.append(float(np.mean(np.maximum(*map(np.asarray, found)) > 1)))
    assert 0.01 < np.mean(shares) < FALSE_ALARMS


def test_few_validation_images_or_constant_vectors_give_no_gate():
    training, labels = normal_table(50, 1), np.arange(50) % 2
    assert FEWEST_IMAGES == 39
    assert fit_gate(training, labels, normal_table(FEWEST_IMAGES - 1, 2)) is None
    assert fit_gate(training, labels, normal_table(FEWEST_IMAGES, 2)) is not None
    constant = np.ones((50, 24), np.float32)
    assert fit_gate(constant, labels, constant) is None


def test_component_that_is_constant_in_training_is_watched():
    training, labels = normal_table(100, 1), np.arange(100) % 2
    training[:, 10] = 0.0
    validation = normal_table(60, 2)
    validation[:, 10] = 0.0
    statistics = fit_gate(training, labels, validation)
    assert statistics is not None
    changed = split_table(validation.copy())["features"]
    changed[:, 6] = 100.0
    assert (np.asarray(distances(statistics["features"], jnp.asarray(changed))) > 1).all()


def test_distance_that_overflows_flags_the_image_and_keeps_its_score():
    table = jnp.asarray([[1.5, 0.5, 0.3, 0.3, 3e38, 3e38], [1.5, 0.5, 0.3, 0.3, 0.0, 0.0]])
    statistics = {
        kind: {"means": np.zeros((2, width), np.float32), "whitening": np.eye(width, dtype="f4")}
        for kind, width in (("features", 2), ("grey_levels", 3))
    }
    step = make_gated_step(lambda _, batch: batch["table"])
    found = np.asarray(step((None, statistics), {"table": table}))
    assert np.isfinite(found).all()
    assert found[:, 0].tolist() == [1.5, 1.5]
    assert (found[:, 1] > 1).tolist() == [True, False]


def test_grey_statistics_are_mean_deviation_and_step():
    image = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 1)).astype(np.uint8)
    grey = image[..., 0] / 255
    steps = [np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    expected = np.stack([grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), np.mean(steps, axis=0)], 1)
    np.testing.assert_allclose(grey_statistics(jnp.asarray(image)), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def judged():
    """A function from images to the table of a gate fitted on drawn bones: logit and distance."""
    released = read_shipped("synthetic/mobilenetv3_large_small")
    module = networks.build(released.card.architecture, "float32")
    step = make_feature_step(module.apply, jnp.float32)
    compiled = jax.jit(step)

    def table_of(images: np.ndarray) -> np.ndarray:
        parts = np.split(images[..., None], range(20, len(images), 20))
        return np.concatenate([compiled(released.variables, {"image": part}) for part in parts])

    training, labels = bones(100, SIZE, seed=0)
    statistics = fit_gate(table_of(training), labels, table_of(bones(60, SIZE, seed=1)[0]))
    gate = make_gated_step(lambda _, batch: batch["table"])

    def judge(images: np.ndarray) -> np.ndarray:
        table = table_of(images)
        found = np.asarray(gate((released.variables, statistics), {"table": jnp.asarray(table)}))
        np.testing.assert_array_equal(found[:, 0], table[:, 0], "the gate changes no logit")
        return found

    return judge


def test_like_images_pass_and_others_are_flagged(judged):
    alike = judged(bones(100, SIZE, seed=2)[0])[:, 1] > 1
    assert alike.mean() <= 0.1
    for name, images in others(20, SIZE, seed=3).items():
        flagged = judged(images)[:, 1] > 1
        assert flagged.mean() >= 0.95, name
