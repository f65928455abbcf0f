"""Simulated ratings, and the level and power of the analysis over many such studies."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import chi2, norm, t

from elbow_core.evaluation.readers.notes import HIGHEST_LEVELS
from elbow_core.evaluation.statistics.multireader import (
    ROE_METZ,
    analyse_readers,
    pilot_of,
    power_of,
    reader_auroc,
    reader_components,
    simulate_ratings,
)

STUDIES = 2000


@pytest.mark.parametrize("structure", sorted(ROE_METZ))
def test_variances_of_the_cases_add_up_to_one(structure):
    model = ROE_METZ[structure]
    total = model.case + model.modality_case + model.reader_case + model.error
    assert total == pytest.approx(1)


def test_simulated_areas_are_those_that_were_asked_for():
    model = ROE_METZ["HH"]
    separations = np.array([model.separation(0.75), model.separation(0.9)])
    rng = np.random.default_rng(0)
    truth, ratings = simulate_ratings(rng, model, separations, 4, 30, 40, studies=200)
    assert ratings.shape == (200, 2, 4, 70)
    areas = np.array([reader_auroc(truth, study).values.mean(axis=1) for study in ratings])
    error = areas.std(axis=0) / np.sqrt(200)
    assert (abs(areas.mean(axis=0) - (0.75, 0.9)) < 3.5 * error).all()


def test_simulated_terms_have_the_variances_of_the_model():
    model = ROE_METZ["HL"]
    rng = np.random.default_rng(1)
    _, ratings = simulate_ratings(rng, model, np.zeros(2), 3, 5, 5, studies=20_000)
    flat = ratings[:, :, :, 0].reshape(20_000, 6)
    readers = model.reader + model.interaction
    covariance = np.cov(flat.T)
    assert covariance.diagonal() == pytest.approx(np.full(6, 1 + readers), rel=0.04)
    same_reader = model.reader + model.case + model.reader_case
    same_modality = model.case + model.modality_case
    assert covariance[0, 3] == pytest.approx(same_reader, rel=0.06)
    assert covariance[0, 1] == pytest.approx(same_modality, rel=0.06)
    assert covariance[0, 4] == pytest.approx(model.case, rel=0.08)
    # A reader's term is that of a class: between the classes nothing is shared.
    assert abs(np.corrcoef(ratings[:, 0, 0, 0], ratings[:, 0, 0, 9])[0, 1]) < 0.03


DESIGNS = (
    (2, 60, 60, "HL", 0.855),
    (5, 45, 69, "HH", 0.855),
    (8, 25, 75, "HL", 0.702),
    (2, 60, 60, "LH", 0.855),
)


def null_studies(
    readers: int, positives: int, negatives: int, structure: str, auroc: float
) -> tuple[float, float]:
    """The share of studies without a difference that the test rejects at 5 %, and the share in
    which the interval of the first modality contains its true AUROC: random readers and cases.
    """
    model = ROE_METZ[structure]
    separations = np.full(2, model.separation(auroc))
    rng = np.random.default_rng(20)
    truth, ratings = simulate_ratings(
        rng, model, separations, readers, positives, negatives, STUDIES
    )
    found = [analyse_readers(reader_auroc(truth, study)) for study in ratings]
    rejected = [of.equality.p < 0.05 for of in found]
    covered = [of.modalities[0].low <= auroc <= of.modalities[0].high for of in found]
    return float(np.mean(rejected)), float(np.mean(covered))


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS[:3])
def test_type_one_error_and_coverage_over_null_studies(design):
    rejected, covered = null_studies(*design)
    assert 0.03 <= rejected <= 0.065
    assert 0.915 <= covered <= 0.965


@pytest.mark.slow
def test_two_readers_may_reject_too_often():
    """A limit of the method, which the report names: `HIGHEST_LEVELS`."""
    rejected, _ = null_studies(*DESIGNS[3])
    assert 0.08 < rejected < HIGHEST_LEVELS[1] + 0.02


@pytest.mark.parametrize("freedom", [1, 2, 3, 7])
def test_highest_levels_are_those_of_hillis_approximation(freedom):
    """By integration over the mean square of readers by modalities, with the covariances known."""
    middle = (np.arange(4000) + 0.5) / 4000
    square = chi2.ppf(middle, freedom) / freedom
    levels = []
    for shared in np.geomspace(0.02, 10, 50):
        below = square + shared
        quantile = t.isf(0.025, freedom * (below / square) ** 2)
        levels.append(np.mean(2 * norm.sf(quantile * np.sqrt(below / (1 + shared)))))
    if freedom in HIGHEST_LEVELS:
        assert max(levels) == pytest.approx(HIGHEST_LEVELS[freedom], abs=0.001)
    else:
        assert max(levels) < 0.065


@pytest.mark.slow
def test_planned_power_is_that_of_simulated_studies():
    """The pilot's components are averages over many studies, so that they are nearly the true."""
    model = ROE_METZ["HH"]
    separations = np.array([model.separation(auroc) for auroc in (0.82, 0.88)])
    rng = np.random.default_rng(3)
    truth, ratings = simulate_ratings(rng, model, separations, 6, 50, 50, 1000)
    studies = [reader_auroc(truth, study) for study in ratings]
    components = [reader_components(study) for study in studies]
    mean = {
        name: float(np.mean([getattr(of, name) for of in components]))
        for name in ("ms_interaction", "variance", "cov1", "cov2", "cov3")
    }
    pilot = pilot_of(dataclasses.replace(components[0], **mean), 100)
    (expected,) = power_of(pilot, 6, np.array([100]), 0.06)
    found = np.mean([analyse_readers(study).equality.p < 0.05 for study in studies])
    assert found == pytest.approx(expected, abs=0.05)


if __name__ == "__main__":
    for design in DESIGNS:
        print(*design, "rejected {:.2%}, covered {:.2%}".format(*null_studies(*design)))
