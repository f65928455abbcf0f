"""The choice of thresholds that leave images to the reader, on arrays."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.evaluation.abstention import (
    abstention_of,
)
from elbow_core.evaluation.statistics.abstention import (
    LEFT,
    Abstention,
    choose_abstention,
    first_level,
)
from elbow_core.evaluation.statistics.abstention.choice import CANDIDATES
from tests.support.abstention_data import clear_predictions, population


def study(seed: int, patients: int = 500, most_images: int = 4) -> tuple[np.ndarray, ...]:
    return population(20_000, most_images, seed).study(np.random.default_rng(seed), patients)


def counted(found: Abstention, labels: np.ndarray, scores: np.ndarray) -> None:
    """Check the counts of a choice at its thresholds."""
    if found.normal is not None:
        called = scores < found.normal.threshold
        assert (found.normal.images, found.normal.wrong) == (called.sum(), labels[called].sum())
    if found.injury is not None:
        called = scores >= found.injury.threshold
        assert (found.injury.images, found.injury.wrong) == (
            called.sum(),
            (1 - labels[called]).sum(),
        )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from((None, 4)), st.integers(1, 4))
def test_choice_does_not_depend_on_the_order_of_rows_or_on_the_numbers_of_patients(
    seed, most_images, images
):
    labels, scores, patients = study(seed, 400, images)
    found = choose_abstention(labels, scores, patients, 0.15, 0.25, most_images=most_images)
    counted(found, labels, scores)
    order = np.random.default_rng(seed).permutation(labels.size)
    shuffled = choose_abstention(
        labels[order], scores[order], 7 * (10_000 - patients[order]), 0.15, 0.25, 0.95, most_images
    )
    for one, other in zip(found, shuffled, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one == pytest.approx(other)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_injury_of_a_score_is_the_normal_of_its_opposite(seed):
    labels, scores, patients = study(seed)
    found = choose_abstention(labels, scores, patients, 0.15, 0.25)
    mirrored = choose_abstention(1 - labels, 1 - scores, patients, 0.25, 0.15)
    # Where pairs are equally good, the lower one is taken on both sides.
    for count in ("images", "wrong"):
        assert sum(getattr(side, count) for side in found if side is not None) == sum(
            getattr(side, count) for side in mirrored if side is not None
        )


def test_certified_thresholds_have_a_start_before_them_and_their_level():
    labels, scores, patients = study(5)
    found = choose_abstention(labels, scores, patients, 0.15, 0.25)
    for side in found:
        assert side is not None
        assert side.threshold in CANDIDATES
        assert side.p <= side.level
        assert side.level >= first_level(0.95)


def test_every_image_is_answered_where_both_answers_are_certified_at_one_threshold():
    labels = np.tile([0, 1], 500)
    scores = np.where(labels == 1, 0.9, 0.1)
    found = choose_abstention(labels, scores, np.arange(1000), 0.05, 0.05)
    assert found.normal is not None
    assert found.injury is not None
    assert found.normal.images + found.injury.images == 1000
    # Of equal pairs it is the one with most room between the thresholds.
    assert (found.normal.threshold, found.injury.threshold) == (0.2, 0.9)


def test_of_pairs_that_answer_equally_many_images_the_one_with_fewest_wrong_is_taken():
    """Both answers would also be certified at 0.3, with normal images called injured."""
    labels = np.repeat([0, 0, 1], [480, 20, 500])
    scores = np.repeat([0.1, 0.4, 0.8], [480, 20, 500])
    found = choose_abstention(labels, scores, np.arange(1000), 0.05, 0.1)
    assert found.normal is not None
    assert found.injury is not None
    assert (found.normal.images, found.injury.images) == (500, 500)
    assert (found.normal.wrong, found.injury.wrong) == (0, 0)


def test_thresholds_do_not_overlap_where_both_answers_would_be_right_everywhere():
    """With shares near 1 every threshold is certified; an image has one answer all the same."""
    labels, scores, patients = study(2)
    found = choose_abstention(labels, scores, patients, 0.99, 0.99)
    assert found.normal is not None
    assert found.injury is not None
    assert found.normal.threshold <= found.injury.threshold
    assert found.normal.images + found.injury.images == labels.size


def test_units_weigh_patients_differently():
    """One patient's thousand certain images are evidence of one patient where patients count."""
    labels, scores, patients = study(3, 300, 2)
    many = np.full(1000, 2)
    with_many = (
        np.append(labels, many * 0),
        np.append(scores, many * 0.0),
        np.append(patients, many * 1000),
    )
    by_patient = choose_abstention(*with_many, 0.2, 0.3)
    plain = choose_abstention(labels, scores, patients, 0.2, 0.3)
    assert plain.normal is not None
    assert by_patient.normal is not None
    assert by_patient.normal.threshold == pytest.approx(plain.normal.threshold, abs=0.1)
    with pytest.raises(ValueError, match="a patient has 1000 images, more than 2"):
        choose_abstention(*with_many, 0.2, 0.3, most_images=2)
    # A thousand images that one patient may have make every other one weak evidence.
    assert choose_abstention(*with_many, 0.2, 0.3, most_images=1000) == Abstention(None, None)


def test_everything_is_left_to_the_reader_where_no_threshold_is_certain():
    few = clear_predictions(60)
    record = abstention_of(few, 0.05, 0.1)
    assert record.normal is None
    assert record.injury is None
    assert (record.answers(np.array([0.0, 0.3, 1.0])) == LEFT).all()


def test_promise_that_is_stricter_answers_no_more_images():
    labels, scores, patients = study(1)
    answered = []
    for wanted in (0.3, 0.2, 0.15, 0.1, 0.02):
        found = choose_abstention(labels, scores, patients, wanted, wanted)
        answered.append(sum(side.images for side in found if side is not None))
    assert answered == sorted(answered, reverse=True)
    assert answered[0] > answered[-1] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"most_missed": 0.0}, "most_missed: 0.0 is not inside 0 to 1"),
        ({"most_missed": float("nan")}, "most_missed: nan is not"),
        ({"most_false_alarms": 1.0}, "most_false_alarms: 1.0 is not"),
        ({"confidence": 1.5}, "confidence: 1.5 is not"),
        ({"labels": np.zeros(4, np.int64)}, "both classes"),
        ({"labels": np.ones(4, np.int64)}, "both classes"),
        ({"scores": np.full(4, 0.3)}, "every score is 0.3"),
        ({"scores": np.array([0.1, np.nan, 0.2, 0.3])}, "not finite"),
    ],
)
def test_choice_from_arrays_refuses(change, message):
    given: dict[str, Any] = {
        "labels": np.array([0, 1, 0, 1]),
        "scores": np.array([0.1, 0.9, 0.2, 0.8]),
        "clusters": np.arange(4),
        "most_missed": 0.1,
        "most_false_alarms": 0.1,
    }
    with pytest.raises(ValueError, match=message):
        choose_abstention(**(given | change))
