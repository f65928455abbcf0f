"""Power and sample size: against scipy's distributions, against simulation, and at the edges."""

import numpy as np
import pytest
from scipy.stats import chi2 as chi_square
from scipy.stats import f, ncf, nct, ncx2, norm, t

from elbow_core.evaluation.statistics.multireader import (
    MAX_PLANNED_CASES,
    POPULATIONS,
    Pilot,
    cases_needed,
    pilot_of,
    power_of,
    reader_auroc,
    reader_components,
)
from tests.support.reader_studies import small_study

PILOT = Pilot(interaction=2e-4, error=3.5e-4, shared=1e-4, cases=100)


def test_power_is_that_of_the_noncentral_distributions():
    square = {"random": 2e-4 + 1.75e-4 + 8 * 5e-5, "fixed_readers": 1.75e-4 + 8 * 5e-5}
    df = 7 * (square["random"] / 3.75e-4) ** 2
    centre = {name: 8 * 0.05**2 / 2 / of for name, of in square.items()}
    found = power_of(PILOT, 8, np.array([200]), 0.05)[0]
    assert found == pytest.approx(ncf.sf(f.isf(0.05, 1, df), 1, df, centre["random"]), rel=1e-9)
    found = power_of(PILOT, 8, np.array([200]), 0.05, "fixed_readers")[0]
    expected = ncx2.sf(chi_square.isf(0.05, 1), 1, centre["fixed_readers"])
    assert found == pytest.approx(expected, rel=1e-9)
    shift = 0.06 / np.sqrt(square["random"] / 4)
    found = power_of(PILOT, 8, np.array([200]), 0.01, margin=0.05)[0]
    assert found == pytest.approx(nct.sf(t.isf(0.025, df), df, shift), rel=1e-7)
    shift = 0.06 / np.sqrt(square["fixed_readers"] / 4)
    found = power_of(PILOT, 8, np.array([200]), 0.01, "fixed_readers", 0.05)[0]
    assert found == pytest.approx(norm.sf(norm.isf(0.025) - shift), rel=1e-9)


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("margin", [None, 0.05])
def test_cases_needed_are_the_fewest(population, margin):
    needed = cases_needed(PILOT, 8, 0.9, 0.04, population, margin)
    assert needed is not None
    cases, power = needed
    found = power_of(PILOT, 8, np.array([cases - 1, cases]), 0.04, population, margin)
    assert found[0] < 0.9 <= found[1] == power


def test_sign_of_a_difference_to_find_does_not_matter():
    found = [power_of(PILOT, 6, np.array([50, 500]), sign * 0.05) for sign in (1, -1)]
    np.testing.assert_array_equal(found[0], found[1])


def test_power_without_a_difference_is_the_level_of_the_test():
    for population in POPULATIONS:
        assert power_of(PILOT, 6, np.array([100]), 0, population) == pytest.approx([0.05])
    # At the margin, the test of non-inferiority rejects at its own level.
    found = power_of(PILOT, 6, np.array([100]), -0.05, margin=0.05)
    assert found == pytest.approx([0.025], rel=1e-6)


def test_more_readers_and_cases_and_a_larger_margin_give_more_power():
    cases = np.array([50, 100, 200, 400])
    assert (np.diff(power_of(PILOT, 8, cases, 0.04)) > 0).all()
    by_readers = [power_of(PILOT, readers, cases, 0.04)[0] for readers in (4, 8, 16)]
    by_margin = [power_of(PILOT, 8, cases, 0.0, margin=of)[0] for of in (0.02, 0.04, 0.08)]
    assert by_readers == sorted(by_readers)
    assert by_margin == sorted(by_margin)


def test_interaction_of_readers_limits_the_power_of_any_number_of_cases():
    assert cases_needed(PILOT, 3, 0.9, 0.04) is None
    assert power_of(PILOT, 3, np.array([MAX_PLANNED_CASES]), 0.04)[0] < 0.9


def test_pilot_without_interaction_of_its_own_is_planned_by_the_normal_distribution():
    pilot = Pilot(interaction=0.0, error=0.0, shared=1e-4, cases=100)
    found = power_of(pilot, 5, np.array([100]), 0.02)
    assert found == pytest.approx(ncx2.sf(chi_square.isf(0.05, 1), 1, [2.0]), rel=1e-9)


def test_negative_estimates_of_variances_count_as_nothing():
    study = small_study()
    components = reader_components(reader_auroc(study.truth, study.ratings))
    assert components.var_interaction < 0
    assert pilot_of(components, 25).interaction == 0


@pytest.mark.parametrize(("modalities", "readers"), [(1, 4), (2, 1)])
def test_pilot_of_one_reader_or_modality_is_refused(modalities, readers):
    study = small_study(0, modalities, readers)
    components = reader_components(reader_auroc(study.truth, study.ratings))
    with pytest.raises(ValueError, match="at least two readers and two modalities"):
        pilot_of(components, 25)


def test_pilot_of_perfect_readers_is_refused():
    study = small_study()
    ratings = np.broadcast_to(study.truth.astype(float), (2, 3, 25)).copy()
    components = reader_components(reader_auroc(study.truth, ratings))
    with pytest.raises(ValueError, match="varies over the cases"):
        pilot_of(components, 25)


def test_fixed_cases_cannot_be_planned_from_readers_who_do_not_vary():
    pilot = Pilot(interaction=0.0, error=0.0, shared=1e-4, cases=100)
    with pytest.raises(ValueError, match="needs a pilot study whose readers vary"):
        power_of(pilot, 5, np.array([100]), 0.02, "fixed_cases")


def test_too_few_readers_are_refused():
    with pytest.raises(ValueError, match="1 readers are too few"):
        power_of(PILOT, 1, np.array([100]), 0.05)
