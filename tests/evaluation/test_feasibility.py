"""Feasible confusion matrices against brute force, and the audit command."""

import itertools
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.errors import UserError
from elbow_core.evaluation.audit import main
from elbow_core.evaluation.published_tables import read_results, read_sets
from elbow_core.evaluation.statistics import (
    Confusion,
    feasible_confusions,
    implied_prevalence,
    search_confusions,
)
from tests.support.paths import ROOT

AUDIT = ROOT / "configs" / "audit"
RESULTS, SETS = AUDIT / "paper_results.csv", AUDIT / "paper_sets.csv"


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
    [({"auroc": 0.9}, 5, 5), ({}, 5, 5), ({"recall": 0.5}, -1, 5), ({"recall": 0.5}, 0, 0)],
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


def test_the_papers_metrics_cannot_come_from_its_test_set():
    """No matrix for any row, with classes swapped or over validation, even within 0.0015."""
    sets = {counts.name: (counts.positives, counts.negatives) for counts in read_sets(SETS)}
    assert sets["test"] == (251, 186)
    tried = [sets["test"], sets["test"][::-1], sets["validation"], sets["validation"][::-1]]
    for positives, negatives in tried:
        for row in read_results(RESULTS):
            assert feasible_confusions(row.metrics, positives, negatives, row.decimals) == []
            within = search_confusions(row.metrics, positives, negatives, row.decimals, 0.0015)
            assert within.feasible == []


def test_command_reports_the_papers_metrics_as_infeasible():
    ran = subprocess.run(
        [sys.executable, "-m", "elbow_core.evaluation.audit", RESULTS, "--sets", SETS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "No confusion matrix over any of these sets gives any row as printed." in ran.stdout
    assert re.search(r"^LLaVA-Rad +test, swapped +186 +251 +0 ", ran.stdout, re.MULTILINE)
    assert "the rows are not metrics of one set" in ran.stdout


def test_command_finds_the_matrix_of_consistent_metrics(tmp_path, capsys):
    results, sets = tmp_path / "results.csv", tmp_path / "sets.csv"
    sets.write_text("# a comment\nset,positives,negatives\ntest,28,22\n")
    # 25 of 28 true positives and 2 false positives: 0.90 (two digits), 0.926 and 0.893.
    results.write_text("model,accuracy,precision,recall\nconsistent,90.0%,0.926,0.893\n")
    assert main([str(results), "--sets", str(sets), "--not-swapped"]) == 0
    printed = capsys.readouterr().out
    assert "25 2 20 3" in printed
    assert "Every row has a confusion matrix" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,accuracy\nx,high\n", "results.csv:2: accuracy 'high'"),
        ("model,accuracy\nx,92.5\n", "results.csv:2: accuracy 92.5 is above 1"),
        ("model,speed\nx,0.5\n", "column 'speed'"),
        ("model,accuracy\nx\n", "results.csv:2: 1 values under 2"),
        ("model,accuracy,accuracy\nx,0.1,0.2\n", "results.csv:1: repeated columns: accuracy"),
        ("model,auroc\nx,0.9\n", "results.csv:2: no metric"),
        ("model,accuracy\n", "no rows"),
        ("model,accuracy\nx,0.9\nx,0.8\n", "results.csv:3: model 'x' is repeated"),
        ("accuracy,precision\n0.9,0.8\n", "the first column is 'accuracy'; it must be the name"),
        ("model,accuracy\nx,-0.5\n", "results.csv:2: accuracy -0.5 is below 0"),
        ("model,kappa\nx,-1.5\n", "results.csv:2: kappa -1.5 is below -1"),
        ("model,accuracy\nx, 0.9\n", "results.csv:2: accuracy ' 0.9' starts or ends"),
        ("model,accuracy,\nx,0.9,1\n", "results.csv:1: a column has no name"),
    ],
)
def test_fault_in_a_table_of_results_is_located(tmp_path, text, message):
    path = tmp_path / "results.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        read_results(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set,positives\ntest,3\n", "header"),
        ("set,positives,negatives\ntest,3,x\n", "sets.csv:2"),
        ("set,positives,negatives\ntest,0,0\n", "empty"),
    ],
)
def test_fault_in_a_table_of_sets_is_located(tmp_path, text, message):
    path = tmp_path / "sets.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        read_sets(path)


@pytest.mark.parametrize("tolerance", ["nan", "inf", "-0.1", "1_0", "1.5", "0,01", " 0.1"])
def test_tolerance_that_is_no_number_from_0_to_1_is_a_usage_error(tolerance, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(RESULTS), "--sets", str(SETS), f"--tolerance={tolerance}"])
    assert stopped.value.code == 2
    assert f"--tolerance: {tolerance!r} is not a number from 0 to 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metrics", "share"),
    [
        # Accuracy needs as many errors as this precision and recall leave no room for.
        ("0.100,0.900,0.900", "none from 0 to 100 %"),
        ("0.999,0.999,0.999", "% to 100.0%"),
    ],
)
def test_implied_share_is_a_share(tmp_path, capsys, metrics, share):
    results = tmp_path / "results.csv"
    results.write_text(f"model,accuracy,precision,recall\nx,{metrics}\n")
    assert main([str(results), "--sets", str(SETS)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("  x: "))
    assert share in line
    assert "-" not in line


def test_missing_file_is_a_usage_error_on_one_line(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "elbow_core.evaluation.audit", tmp_path / "no.csv", "--sets", SETS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: ")
    assert ran.stderr.count("\n") == 1
