"""Feasible confusion matrices and the implied share of positives, against brute force."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.evaluation.statistics import Confusion
from elbow_core.evaluation.statistics.published import (
    feasible_confusions,
    implied_prevalence,
    search_confusions,
)


def exact_metrics(tp: int, fp: int, tn: int, fn: int) -> dict[str, float]:
    return {
        "accuracy": (tp + tn) / (tp + fp + tn + fn),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
    }


def within_half_a_unit(exact: float, printed: float, decimals: int) -> bool:
    return abs(exact - printed) <= 0.5 * 10**-decimals + 1e-9


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 25),
    st.integers(1, 25),
    st.integers(1, 3),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_feasible_matrices_equal_those_of_a_full_search(positives, negatives, decimals, values):
    printed = {
        name: round(value, decimals)
        for name, value in zip(("accuracy", "precision", "recall", "f1"), values, strict=True)
    }
    expected = [
        Confusion(tp, fp, negatives - fp, positives - tp)
        for tp, fp in itertools.product(range(positives + 1), range(negatives + 1))
        if tp + fp
        and all(
            within_half_a_unit(value, printed[name], decimals)
            for name, value in exact_metrics(tp, fp, negatives - fp, positives - tp).items()
        )
    ]
    assert feasible_confusions(printed, positives, negatives, decimals) == expected


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 300), st.integers(1, 300), st.integers(2, 4))
def test_matrix_of_rounded_metrics_is_always_found(data, positives, negatives, decimals):
    tp, fp = data.draw(st.integers(1, positives)), data.draw(st.integers(0, negatives))
    matrix = Confusion(tp, fp, negatives - fp, positives - tp)
    printed = {name: round(value, decimals) for name, value in exact_metrics(*matrix).items()}
    assert matrix in feasible_confusions(printed, positives, negatives, decimals)


def test_matrix_with_an_undefined_metric_is_not_feasible():
    # Without a predicted injury precision is undefined, not 0.
    found = feasible_confusions({"precision": 0.0}, 2, 2, 3)
    assert Confusion(0, 0, 2, 2) not in found
    assert Confusion(0, 1, 1, 2) in found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_early_stopping_finds_the_nearest_matrix(positives, negatives, values):
    names: tuple[str, ...] = ("accuracy", "npv", "recall", "specificity")
    printed: dict[str, float] = dict(zip(names, values, strict=True))
    least: float = min(
        max(abs(got - printed[name]) for name, got in known.items())
        for tp, fp in itertools.product(range(positives + 1), range(negatives + 1))
        if negatives - fp + positives - tp
        for known in [
            {
                "accuracy": (tp + negatives - fp) / (positives + negatives),
                "npv": (negatives - fp) / (negatives - fp + positives - tp),
                "recall": tp / positives if positives else float("inf"),
                "specificity": (negatives - fp) / negatives,
            }
        ]
    )
    assert search_confusions(printed, positives, negatives, 3).deviation == pytest.approx(least)


def test_deviation_of_the_nearest_matrix_is_that_of_its_worst_metric():
    exact = exact_metrics(9, 1, 9, 1)
    found = search_confusions(exact | {"accuracy": 0.93}, 10, 10, 3)
    assert found.feasible == []
    assert found.nearest == Confusion(9, 1, 9, 1)
    assert found.deviation == pytest.approx(0.03)
    assert feasible_confusions(exact | {"accuracy": 0.93}, 10, 10, 3, tolerance=0.03) != []


@pytest.mark.parametrize(
    ("metrics", "positives", "negatives"),
    [
        ({"auroc": 0.9}, 5, 5),
        ({}, 5, 5),
        ({"recall": 0.5}, -1, 5),
        ({"recall": 0.5}, 0, 0),
        ({"recall": 0.5}, 1, 90_000_000),
    ],
)
def test_invalid_search_is_refused(metrics, positives, negatives):
    with pytest.raises(ValueError, match=r"set|metric"):
        feasible_confusions(metrics, positives, negatives, 3)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_accuracy_precision_and_recall_imply_the_share_of_positives(positives, negatives, data):
    tp, fp = data.draw(st.integers(1, positives)), data.draw(st.integers(0, negatives))
    exact = exact_metrics(tp, fp, negatives - fp, positives - tp)
    if fp or tp < positives:
        share = implied_prevalence(exact["accuracy"], exact["precision"], exact["recall"])
        assert share == pytest.approx(positives / (positives + negatives))
