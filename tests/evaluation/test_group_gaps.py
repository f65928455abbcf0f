"""Gaps between groups: against independent implementations, and at their limits."""

import math

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import chi2_contingency, norm, studentized_range
from scipy.stats import t as student

from elbow_core.evaluation.statistics.differences import area_covariance, delong
from elbow_core.evaluation.statistics.groups import LEAST_PATIENTS, area_gap, proportion_gap
from elbow_core.evaluation.statistics.groups.estimates import group_areas, group_proportions
from elbow_core.evaluation.statistics.groups.gaps import GAP_DRAWS

P_ERROR = 4 * 0.5 / math.sqrt(GAP_DRAWS)  # four standard errors of a drawn p


def successes(*of_groups: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return success, group and patient of single images from (successes, images) of groups."""
    success = np.concatenate([np.arange(n) < right for right, n in of_groups])
    groups = np.repeat(np.arange(len(of_groups)), [n for _, n in of_groups])
    return success, groups, np.arange(success.size)


def scored(seed: int, groups: np.ndarray, shifts) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, groups.size)
    return labels, rng.normal(size=groups.size) + labels * np.asarray(shifts)[groups]


@pytest.mark.parametrize(
    "of_groups", [((40, 60), (55, 60)), ((300, 400), (330, 400)), ((90, 100), (300, 320))]
)
def test_two_proportions_give_the_p_of_the_chi_squared_test(of_groups):
    found = proportion_gap(*successes(*of_groups))
    table = [[right, n - right] for right, n in of_groups]
    _, expected, *_ = chi2_contingency(table, correction=False)
    # The chi-squared distribution approximates the binomial one that is drawn here.
    assert found.p == pytest.approx(expected, rel=0.15, abs=P_ERROR)


def test_equal_groups_give_the_p_of_tukeys_studentised_range():
    rights = (1650, 1600, 1590, 1640, 1570)
    found = proportion_gap(*successes(*((right, 2000) for right in rights)))
    share = sum(rights) / 10_000
    statistic = (1650 - 1570) / 2000 / math.sqrt(share * (1 - share) / 1000)
    expected = studentized_range.sf(statistic * math.sqrt(2), 5, math.inf)
    assert 0.01 < expected < 0.9
    assert found.p == pytest.approx(float(expected), abs=P_ERROR)
    assert (found.pair, found.tested) == ((0, 4), (0, 4))


def test_two_areas_give_the_p_of_welchs_test_on_logits():
    groups = np.repeat([0, 1], [80, 200])
    labels, scores = scored(3, groups, (1.6, 1.2))
    found = area_gap(labels, scores, groups, np.arange(280))
    logits, variances, degrees = [], [], []
    for group in (0, 1):
        of = groups == group
        areas, covariance = area_covariance(labels[of], scores[of][None])
        logits.append(logit(areas[0]))
        variances.append(covariance[0, 0] / (areas[0] * (1 - areas[0])) ** 2)
        degrees.append(min(labels[of].sum(), (1 - labels[of]).sum()) - 1)
    statistic = abs(logits[0] - logits[1]) / math.sqrt(sum(variances))
    welch = sum(variances) ** 2 / sum(v**2 / d for v, d in zip(variances, degrees, strict=True))
    expected = 2 * student.sf(statistic, welch)
    assert 0.005 < expected < 0.5
    assert found.p == pytest.approx(expected, abs=P_ERROR)


def test_permuted_patients_give_a_similar_p():
    """The permutation is exact where the groups have one distribution of labels and scores."""
    rng = np.random.default_rng(8)
    of_patient = np.repeat([0, 1, 2], [40, 60, 80])
    patients = np.repeat(np.arange(180), 2)
    success = rng.random(180).repeat(2) < np.repeat([0.6, 0.85, 0.9], [80, 120, 160])
    found = proportion_gap(success, of_patient[patients], patients)
    right, images = success.reshape(180, 2).sum(axis=1), 2.0

    def statistic(groups: np.ndarray) -> float:
        shares = np.bincount(groups, weights=right) / np.bincount(groups) / images
        spread = 1 / np.bincount(groups)
        pairs = ((0, 1), (0, 2), (1, 2))
        return max(abs(shares[a] - shares[b]) / math.sqrt(spread[a] + spread[b]) for a, b in pairs)

    observed = statistic(of_patient)
    permuted = [statistic(rng.permutation(of_patient)) for _ in range(2000)]
    expected = (1 + np.sum(np.array(permuted) >= observed - 1e-9)) / 2001
    assert 0.001 < expected < 0.05
    assert found.p == pytest.approx(expected, abs=0.01)


def test_one_image_per_patient_keeps_sizes_and_has_no_correlation():
    success, groups, patients = successes((30, 40), (20, 50))
    found = group_proportions(success, groups, patients)
    assert found.values.tolist() == [0.75, 0.4]
    assert found.sizes.tolist() == [40, 50]
    assert np.array_equal(found.correlation, np.eye(2))


def test_fully_dependent_images_count_once():
    success, groups, patients = successes((30, 40), (20, 50))
    once = proportion_gap(success, groups, patients, seed=1)
    doubled = proportion_gap(success.repeat(2), groups.repeat(2), patients.repeat(2), seed=1)
    found = group_proportions(success.repeat(2), groups.repeat(2), patients.repeat(2))
    assert found.sizes == pytest.approx([40, 50])
    assert doubled.p == pytest.approx(once.p, abs=P_ERROR)
    assert (doubled.low, doubled.high) == pytest.approx((once.low, once.high), abs=0.01)


def test_groups_that_share_patients_are_compared_within_patients():
    """Views: each patient has one image in both groups, and the two agree mostly."""
    rng = np.random.default_rng(2)
    first = rng.random(300) < 0.8
    second = np.where(rng.random(300) < 0.06, False, first)
    success, groups = np.concatenate([first, second]), np.repeat([0, 1], 300)
    paired = proportion_gap(success, groups, np.tile(np.arange(300), 2))
    unpaired = proportion_gap(success, groups, np.arange(600))
    assert paired.p < 0.02 < unpaired.p
    assert paired.high - paired.low < 0.7 * (unpaired.high - unpaired.low)
    assert paired.estimate == pytest.approx(first.mean() - second.mean())


def test_areas_of_groups_that_share_patients_are_correlated():
    rng = np.random.default_rng(4)
    labels = np.tile(rng.integers(0, 2, 150), 2)
    scores = np.tile(rng.normal(size=150), 2) + labels + 0.3 * rng.normal(size=300)
    groups, patients = np.repeat([0, 1], 150), np.tile(np.arange(150), 2)
    found = group_areas(labels, scores, groups, patients)
    both = area_covariance(labels[:150], np.stack([scores[:150], scores[150:]]), np.arange(150))[1]
    expected = both[0, 1] / math.sqrt(both[0, 0] * both[1, 1])
    assert found.correlation[0, 1] == pytest.approx(expected, abs=0.02)
    gap = area_gap(labels, scores, groups, patients)
    assert gap.p == pytest.approx(
        delong(labels[:150], scores[:150], scores[150:]).p, rel=0.2, abs=P_ERROR
    )


def test_groups_without_an_error_are_no_evidence_by_themselves():
    """A Wald test would take the lack of spread for certainty."""
    found = proportion_gap(*successes((12, 12), (11, 12), (190, 200)))
    assert found.p > 0.3
    assert found.low < 0 < found.estimate < found.high


def test_all_right_everywhere_is_a_gap_of_0_with_p_1():
    found = proportion_gap(*successes((12, 12), (30, 30)))
    assert (found.estimate, found.p) == (0.0, 1.0)
    assert found.low < 0 < found.high


def test_all_right_in_groups_of_any_effective_size_is_no_error():
    """Sums of fractional sizes round: the pooled proportion must not exceed 1."""
    for groups in range(2, 9):
        sizes = [12 + 7 * group for group in range(groups)]
        number = np.repeat(np.arange(groups), sizes)
        patients = np.minimum(np.arange(number.size), number.size - 3)
        found = proportion_gap(np.ones(number.size, bool), number, patients)
        assert (found.estimate, found.p) == (0.0, 1.0)


def test_all_right_against_all_wrong_in_dependent_images_is_a_gap_of_1():
    success = np.repeat([True, False], 40)
    found = proportion_gap(success, np.repeat([0, 1], 40), np.repeat(np.arange(20), 4))
    assert found.estimate == 1
    assert found.p < 0.001
    assert 0.4 < found.low < found.high <= 1


def test_areas_of_1_have_a_finite_interval():
    groups = np.repeat([0, 1], 40)
    labels = np.tile([0, 1], 40)
    found = area_gap(labels, labels + 0.0, groups, np.arange(80))
    assert (found.estimate, found.p) == (0.0, 1.0)
    assert -1 < found.low < 0 < found.high < 1
    scores = np.where(groups == 0, labels + 0.0, np.random.default_rng(0).random(80))
    found = area_gap(labels, scores, groups, np.arange(80))
    assert found.pair == (0, 1)
    assert found.p < 0.02
    assert 0 < found.low < found.estimate < found.high <= 1


def test_only_groups_with_ten_patients_of_each_class_are_judged():
    counts = {0: (30, 30), 1: (30, LEAST_PATIENTS - 1), 2: (LEAST_PATIENTS, LEAST_PATIENTS)}
    groups = np.concatenate([np.full(sum(pair), group) for group, pair in counts.items()])
    labels = np.concatenate([np.repeat([0, 1], pair) for pair in counts.values()])
    scores = np.random.default_rng(0).random(groups.size)
    patients = np.arange(groups.size)
    assert area_gap(labels, scores, groups, patients).judged == (0, 2)
    # Ten images of fewer patients are not enough.
    patients[groups == 2] = patients[groups == 2] // 2
    found = area_gap(labels, scores, groups, patients)
    assert found.judged == (0,)
    assert found.pair is found.tested is None
    assert math.isnan(found.p)
    assert "fewer than two groups" in found.reason
    injured = labels == 1
    of_class = proportion_gap(scores[injured] > 0.5, groups[injured], patients[injured])
    assert of_class.judged == (0,)


def test_no_image_of_a_class_is_no_gap():
    nothing = np.empty(0, np.int64)
    assert proportion_gap(np.empty(0, bool), nothing, nothing).judged == ()


def test_largest_gap_may_be_of_a_small_group_and_the_test_of_large_ones():
    found = proportion_gap(*successes((6, 12), (1500, 2000), (1700, 2000)))
    assert found.pair == (2, 0)
    assert found.tested == (2, 1)
    assert found.p < 0.001


def test_interval_is_wider_than_that_of_one_pair_picked_beforehand():
    success, groups, patients = successes((160, 200), (150, 200), (140, 200), (155, 200))
    all_pairs = proportion_gap(success, groups, patients)
    kept = np.isin(groups, (0, 2))
    one_pair = proportion_gap(success[kept], groups[kept] // 2, patients[kept])
    assert all_pairs.estimate == one_pair.estimate
    assert all_pairs.low < one_pair.low < one_pair.high < all_pairs.high
    assert all_pairs.p > one_pair.p
    half = (one_pair.high - one_pair.low) / 2
    wald = norm.ppf(0.975) * math.sqrt(0.8 * 0.2 / 200 + 0.7 * 0.3 / 200)
    assert half == pytest.approx(wald, rel=0.03)


def test_order_and_numbers_of_groups_do_not_matter():
    groups = np.arange(360) % 3
    labels, scores = scored(6, groups, (2.0, 1.5, 1.0))
    found = area_gap(labels, scores, groups, np.arange(360) // 2)
    mixed = np.random.default_rng(1).permutation(360)
    again = area_gap(labels[mixed], scores[mixed], 4 * groups[mixed], (np.arange(360) // 2)[mixed])
    assert again.pair == tuple(4 * group for group in found.pair or ())
    assert (again.estimate, again.p) == pytest.approx((found.estimate, found.p))
