"""Thresholds of single images against MAPIE, which implements Learn Then Test for them."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.risk_control import BinaryClassificationController, BinaryRisk
from mapie.risk_control.fwer_control import FWERFixedSequenceTesting, control_fwer

from elbow_core.evaluation.statistics.abstention import choose_abstention
from elbow_core.evaluation.statistics.abstention.choice import CANDIDATES
from elbow_core.evaluation.statistics.abstention.share_tests import binomial_p_values, fallback
from tests.support.abstention_data import population

CONFIDENCE = 0.9
# The share of wrong ones among the images that are called, at a threshold of "injured".
MISSED = BinaryRisk(lambda y, called: y == 1, lambda y, called: called == 0, higher_is_better=False)
FALSE_ALARMS = BinaryRisk(
    lambda y, called: y == 0, lambda y, called: called == 1, higher_is_better=False
)


def controlled(labels, scores, risk: BinaryRisk, wanted: float) -> BinaryClassificationController:
    controller = BinaryClassificationController(
        predict_function=lambda scores: np.stack([1 - np.asarray(scores), scores], axis=1),
        risk=risk,
        target_level=wanted,
        confidence_level=CONFIDENCE,
        best_predict_param_choice=risk,
        list_predict_params=CANDIDATES,
        fwer_method="bonferroni",
    )
    return controller.calibrate(scores, labels)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_and_thresholds_of_single_images_are_those_of_mapie(seed):
    """MAPIE multiplies a rounded share by the number of images, and may so round one wrong up."""
    labels, scores, patients = population(20_000, 1, seed).study(np.random.default_rng(seed), 500)
    missed, false_alarms = 0.15, 0.2
    found = choose_abstention(labels, scores, patients, missed, false_alarms)
    injury = scores[None] >= CANDIDATES[:, None]
    for side, risk, wanted, called, label in (
        (found.normal, MISSED, missed, ~injury, 1),
        (found.injury, FALSE_ALARMS, false_alarms, injury, 0),
    ):
        images, wrong = called.sum(axis=1), (called & (labels == label)).sum(axis=1)
        p_values = binomial_p_values(images, wrong, Fraction(str(wanted)))
        some = images > 0
        theirs: Any = controlled(labels, scores, risk, wanted)
        rounded_up = np.ceil(images * (wrong / np.maximum(images, 1))) > wrong
        equal = some & ~rounded_up
        np.testing.assert_allclose(p_values[equal], theirs.p_values[equal, 0], rtol=1e-9)
        assert (p_values[rounded_up] < theirs.p_values[rounded_up, 0]).all()
        assert equal.sum() > 80

        level = (1 - CONFIDENCE) / CANDIDATES.size
        ours = CANDIDATES[equal & (p_values <= level)]
        assert set(ours) <= set(theirs.valid_predict_params) <= set(CANDIDATES[p_values <= level])
        assert ours.size
        assert side is not None
        assert p_values[side.threshold == CANDIDATES] == pytest.approx(side.p)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=4, max_size=40), st.integers(1, 4))
def test_sequence_rejects_what_mapie_rejects_and_more_where_its_starts_meet(thousandths, starts):
    """With one start it is fixed-sequence testing; MAPIE leaves levels unused where starts meet."""
    p_values, delta = np.array(thousandths) / 1000, 0.05
    weights = np.zeros(p_values.size)
    weights[[start * (p_values.size // starts) for start in range(starts)]] = delta / starts
    rejected, _ = fallback(p_values, weights)
    procedure = FWERFixedSequenceTesting(n_starts=starts)
    theirs = set(control_fwer(p_values, delta, procedure).tolist())
    ours = set(np.flatnonzero(rejected).tolist())
    assert ours >= theirs
    if starts == 1:
        assert ours == theirs
