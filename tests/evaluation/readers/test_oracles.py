"""Known values: a small table, and what other programs give for the Van Dyke data.

The Van Dyke data: Van Dyke et al., Cine MRI in the diagnosis of thoracic aortic dissection, RSNA
(1993). Values of MRMCaov 0.3.0 are from docs/jss/MRMCaov.tex of github.com/brian-j-smith/MRMCaov at
commit d79e49b; those of RJafroc from 14-SampleSize4.md of github.com/dpc10ster/RJafrocBook at
commit a52ba0a, and from the tests of its package.
"""

import math

import numpy as np
import pytest
from scipy.stats import f

from elbow_core.evaluation.statistics.multireader import (
    Pilot,
    Population,
    analyse_readers,
    cases_needed,
    pilot_of,
    power_of,
    reader_auroc,
    reader_components,
    reader_differences,
    reader_estimates,
)
from tests.support.reader_studies import dorfman_berbaum_metz, van_dyke

# Seven positive and eight negative cases; two modalities of three readers.
TRUTH = np.repeat([1, 0], [7, 8])
RATINGS = np.array(
    [
        [list(map(float, row)) for row in rows]
        for rows in (
            ("212442420010112", "211332310110023", "120333300110113"),
            ("433443420010212", "223343410120013", "132341320120312"),
        )
    ]
)
SMALL = (0.8740915955880963, 11.652947220630779, 0.3687951769397807)


def test_values_of_a_small_table():
    """F, its degrees of freedom and p were computed by `dorfman_berbaum_metz` and scipy."""
    found = analyse_readers(reader_auroc(TRUTH, RATINGS)).equality
    assert (found.f, found.df2, found.p) == pytest.approx(SMALL, rel=1e-6)
    ratio, df = dorfman_berbaum_metz(TRUTH, RATINGS)
    assert (ratio, df, f.sf(ratio, 1, df)) == pytest.approx(SMALL, rel=1e-6)


def test_van_dyke_random_readers_and_cases():
    found = analyse_readers(reader_auroc(*van_dyke()))
    test, row = found.equality, found.differences[0].estimate
    assert [of.value for of in found.modalities] == pytest.approx([0.8970370, 0.9408374], abs=5e-8)
    assert (test.f, test.df2, test.p) == pytest.approx((4.456319, 15.25967, 0.05166569), rel=1e-6)
    assert (row.value, row.error) == pytest.approx((-0.04380032, 0.02074862), rel=1e-6)
    assert (row.low, row.high) == pytest.approx((-0.0879594986, 0.0003588544), abs=1e-9)
    first, second = found.modalities
    assert (first.error, first.df) == pytest.approx((0.03317360, 12.74465), rel=1e-6)
    assert (first.low, first.high) == pytest.approx((0.8252236, 0.9688505), abs=5e-8)
    assert (second.error, second.df) == pytest.approx((0.02156637, 12.71019), rel=1e-6)
    assert (second.low, second.high) == pytest.approx((0.8941378, 0.9875369), abs=5e-8)


def test_van_dyke_components():
    found = reader_components(reader_auroc(*van_dyke()))
    assert (found.ms_modality, found.ms_reader, found.ms_interaction) == pytest.approx(
        (0.004796171, 0.0038362000, 0.0005510306), rel=5e-7
    )
    assert (found.variance, found.cov1, found.cov2, found.cov3) == pytest.approx(
        (0.0008022883, 0.0003466137, 0.0003440748, 0.0002390284), rel=5e-7
    )
    assert (found.var_reader, found.var_interaction) == pytest.approx(
        (0.0015349993, 0.0002004025), rel=5e-7
    )


def test_van_dyke_by_delong():
    accuracy = reader_auroc(*van_dyke(), "delong")
    test = analyse_readers(accuracy).equality
    row = analyse_readers(accuracy).differences[0].estimate
    assert (test.f, test.df2, test.p) == pytest.approx((4.484854, 15.06611, 0.05123303), rel=1e-6)
    assert (row.low, row.high) == pytest.approx((-0.0878671960, 0.0002665519), abs=1e-9)
    assert reader_components(accuracy).var_interaction == pytest.approx(0.0002045840, rel=5e-7)


def test_van_dyke_fixed_readers():
    accuracy = reader_auroc(*van_dyke())
    found = analyse_readers(accuracy, "fixed_readers")
    test, row = found.equality, found.differences[0].estimate
    assert (test.f, test.p) == pytest.approx((5.475953, 0.01927984), rel=1e-6)
    assert math.isinf(test.df2)
    assert (row.error, row.low, row.high) == pytest.approx(
        (0.01871748, -0.08048591, -0.00711473), abs=1e-8
    )
    assert [(of.low, of.high) for of in found.modalities] == [
        pytest.approx((0.8494301, 0.9446440), abs=5e-8),
        pytest.approx((0.9079564, 0.9737183), abs=5e-8),
    ]
    rows = reader_differences(accuracy, 0, 1)
    assert [estimate.value for estimate, _ in rows] == pytest.approx(
        [-0.02818035, -0.04653784, -0.01787440, -0.02624799, -0.10016103], abs=1e-8
    )
    assert [estimate.error for estimate, _ in rows] == pytest.approx(
        [0.02551213, 0.02630183, 0.03120965, 0.01729129, 0.04405746], abs=1e-8
    )
    assert [p for _, p in rows] == pytest.approx(
        [0.26933885, 0.07683102, 0.56683414, 0.12901715, 0.02300099], rel=1e-6
    )
    fourth = reader_estimates(accuracy)[0][3]
    assert (fourth.value, fourth.low, fourth.high) == pytest.approx(
        (0.9731079, 0.9391244, 1.0), abs=5e-8
    )


def test_van_dyke_fixed_cases():
    found = analyse_readers(reader_auroc(*van_dyke()), "fixed_cases")
    test, row = found.equality, found.differences[0].estimate
    assert (test.f, test.df2, test.p) == pytest.approx((8.704, 4, 0.04195875), rel=1e-6)
    assert (row.error, row.low, row.high) == pytest.approx(
        (0.01484629, -0.08502022, -0.00258042), abs=1e-8
    )
    assert [(of.low, of.high) for of in found.modalities] == [
        pytest.approx((0.8280981, 0.9659760), abs=5e-8),
        pytest.approx((0.8959894, 0.9856854), abs=5e-8),
    ]


def _pilot() -> tuple[Pilot, float]:
    accuracy = reader_auroc(*van_dyke())
    difference = float(np.diff(accuracy.values.mean(axis=1))[0])
    return pilot_of(reader_components(accuracy), accuracy.cases), difference


def test_power_of_a_study_planned_from_van_dyke():
    pilot, difference = _pilot()
    found = power_of(pilot, 6, np.array([251, 112, 111]), difference)
    assert found == pytest.approx([0.8005403, 0.5555789, 0.5526116], abs=5e-8)


@pytest.mark.parametrize(
    ("readers", "population", "cases", "power"),
    [
        (4, "random", 1089, None),
        (5, "random", 344, None),
        (6, "random", 251, 0.8005403),
        (10, "random", 163, 0.8015625),
        (20, "random", 126, None),
        (100, "random", 103, None),
        (10, "fixed_cases", 53, 0.8049666),
    ],
)
def test_cases_of_a_study_planned_from_van_dyke(
    readers: int, population: Population, cases: int, power: float | None
):
    pilot, difference = _pilot()
    found = cases_needed(pilot, readers, 0.8, difference, population)
    assert found is not None
    assert found[0] == cases
    assert power is None or found[1] == pytest.approx(power, abs=5e-8)


def test_three_readers_are_too_few_to_plan_from_van_dyke():
    pilot, difference = _pilot()
    assert cases_needed(pilot, 3, 0.8, difference) is None
