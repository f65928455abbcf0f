"""The audit of published metrics: it accuses no true matrix, and names what cannot be."""

import decimal
import math
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.errors import UserError
from elbow_core.evaluation.audit.__main__ import main
from elbow_core.evaluation.audit.tables import read_results, read_sets
from elbow_core.evaluation.statistics import Confusion
from elbow_core.evaluation.statistics.published import feasible_confusions, search_confusions
from tests.support.paths import ROOT

ROUNDINGS = (decimal.ROUND_HALF_UP, decimal.ROUND_HALF_EVEN)
AUDIT = ROOT / "configs" / "audit"
RESULTS, SETS = AUDIT / "paper_results.csv", AUDIT / "paper_sets.csv"


def printed(value: Fraction | float, decimals: int, percent: bool, rounding: str) -> str:
    """Print a metric by decimal arithmetic, at ``decimals`` of its fraction."""
    context = decimal.Context(prec=60)
    exact = (
        context.divide(decimal.Decimal(value.numerator), decimal.Decimal(value.denominator))
        if isinstance(value, Fraction)
        else decimal.Decimal(value)
    )
    unit = decimal.Decimal(1).scaleb(-decimals)
    cut = exact.quantize(unit, rounding=rounding, context=context)
    return f"{cut.scaleb(2):f}%" if percent else f"{cut:f}"


def all_metrics(tp: int, fp: int, tn: int, fn: int) -> dict[str, Fraction | float]:
    """Every metric that is defined, by its textbook formula."""
    n, positives, negatives = tp + fp + tn + fn, tp + fn, tn + fp
    chance = Fraction((tp + fp) * positives + (tn + fn) * negatives, n * n)
    found: dict[str, Fraction | float] = {"accuracy": Fraction(tp + tn, n)}
    for name, part, whole in (
        ("precision", tp, tp + fp),
        ("recall", tp, positives),
        ("sensitivity", tp, positives),
        ("specificity", tn, negatives),
        ("npv", tn, tn + fn),
        ("f1", 2 * tp, 2 * tp + fp + fn),
    ):
        if whole:
            found[name] = Fraction(part, whole)
    if positives and negatives:
        found["balanced_accuracy"] = (found["recall"] + found["specificity"]) / 2
    if chance != 1:
        found["kappa"] = (found["accuracy"] - chance) / (1 - chance)
    if square := (tp + fp) * positives * (tn + fn) * negatives:
        found["mcc"] = (tp * tn - fp * fn) / math.sqrt(square)
    return found


@st.composite
def published_rows(draw, least: int = 1) -> tuple[Confusion, dict[str, str], bool]:
    """A true matrix, some of its metrics as printed, and whether they were truncated."""
    matrix = Confusion(*(draw(st.integers(0, 90)) for _ in range(4)))
    if sum(matrix) == 0:
        matrix = Confusion(1, 0, 0, 0)
    known = all_metrics(*matrix)
    names = draw(
        st.lists(st.sampled_from(sorted(known)), min_size=min(least, len(known)), unique=True)
    )
    truncated = draw(st.booleans())
    cells = {}
    for name in names:
        percent = draw(st.booleans())
        decimals = draw(st.integers(2 if percent else 0, 6))
        rounding = decimal.ROUND_DOWN if truncated else draw(st.sampled_from(ROUNDINGS))
        cells[name] = printed(known[name], decimals, percent, rounding)
    return matrix, cells, truncated


def audited(folder: Path, cells: dict[str, str], matrix: Confusion):
    """Read a row from its table, and search the set of a matrix."""
    path = folder / "row.csv"
    path.write_text(f"model,{','.join(cells)}\nx,{','.join(cells.values())}\n")
    (row,) = read_results(path)
    positives, negatives = matrix.tp + matrix.fn, matrix.fp + matrix.tn
    return search_confusions(row.metrics, positives, negatives, row.decimals)


@settings(max_examples=150, deadline=None)
@given(published_rows())
def test_no_true_matrix_is_called_impossible_however_each_metric_is_printed(tmp_path_factory, row):
    matrix, cells, truncated = row
    found = audited(tmp_path_factory.getbasetemp(), cells, matrix)
    assert matrix in (found.truncated if truncated else found.feasible)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(1, 40))
def test_printed_value_that_is_shifted_beyond_its_reach_is_impossible(
    tmp_path_factory, data, positives, negatives
):
    tp, tn = data.draw(st.integers(1, positives)), data.draw(st.integers(0, negatives))
    matrix = Confusion(tp, negatives - tn, tn, positives - tp)
    known = all_metrics(*matrix)
    # Six decimals of recall and of specificity tell the matrices of the set apart.
    cells = {
        name: printed(known[name], 6, False, decimal.ROUND_HALF_UP)
        for name in ("recall", "specificity")
    }
    names = sorted(set(known) - {"recall", "sensitivity", "specificity"})
    name, decimals = data.draw(st.sampled_from(names)), data.draw(st.integers(1, 5))
    text = decimal.Decimal(printed(known[name], decimals, False, decimal.ROUND_HALF_UP))
    # Rounding and truncation reach one unit at most.
    shift = data.draw(st.integers(2, 5)) * decimal.Decimal(1).scaleb(-decimals)
    shifted = text - shift if text - shift >= 0 else text + shift
    if shifted > 1:
        return
    cells[name] = f"{text:f}"
    assert audited(tmp_path_factory.getbasetemp(), cells, matrix).feasible == [matrix]
    cells[name] = f"{shifted:f}"
    found = audited(tmp_path_factory.getbasetemp(), cells, matrix)
    assert found.feasible == found.truncated == []


@pytest.mark.parametrize(
    ("text", "feasible", "truncated"),
    [
        ("0.125", True, True),
        # 1/8 lies halfway between 0.12 and 0.13.
        ("0.12", True, True),
        ("0.13", True, False),
        ("12%", True, True),
        ("0.1", True, True),
        ("0.124", False, False),
        ("0.1250000000000000000000000000", True, True),
        # Beyond the precision of a float.
        ("0.1250000000000000000000000001", False, False),
        ("0.1249999999999999999999999999", False, False),
        ("0.126", False, False),
    ],
)
def test_edges_of_a_printed_value_are_exact(tmp_path, text, feasible, truncated):
    found = audited(tmp_path, {"recall": text}, Confusion(1, 0, 3, 7))
    assert (Confusion(1, 0, 3, 7) in found.feasible) is feasible
    assert (Confusion(1, 0, 3, 7) in found.truncated) is truncated


def test_root_of_mcc_is_compared_exactly(tmp_path):
    # 3 * 3 - 1 * 1 over the root of 4 * 4 * 4 * 4 is 1/2, and 1/2 is no longer than it looks.
    matrix = Confusion(3, 1, 3, 1)
    for text, feasible in (("0.5" + "0" * 30, True), ("0.5" + "0" * 29 + "1", False)):
        assert (matrix in audited(tmp_path, {"mcc": text}, matrix).feasible) is feasible
    negative = Confusion(1, 3, 1, 3)
    assert negative in audited(tmp_path, {"mcc": "-0.50"}, negative).feasible


def test_command_names_rows_whose_digits_were_cut_off(tmp_path, capsys):
    results, sets = tmp_path / "results.csv", tmp_path / "sets.csv"
    sets.write_text("set,positives,negatives\ntest,75,75\n")
    results.write_text(
        "model,accuracy,precision,recall\n"
        "each its own decimals,0.9133,0.94,0.88\n"
        "cut,0.9133,0.942,0.88\n"
        "neither,0.9133,0.941,0.88\n"
    )
    assert main([str(results), "--sets", str(sets), "--not-swapped"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-7:-5] for line in lines[1:4]] == [["1", "1"], ["0", "1"], ["0", "0"]]
    assert "No confusion matrix gives, as printed: neither." in lines
    assert "Only if further digits were cut off, not rounded: cut." in lines


def test_shares_are_no_contradiction_where_truncated_metrics_have_one_in_common(tmp_path, capsys):
    """Both rows are of one set with 20 of 40 injured; the first is truncated."""
    results = tmp_path / "results.csv"
    # 19 of 20 true positives and 2 false positives: 0.925, 0.904761... and 0.95.
    for precision, contradicted in (("0.9047", False), ("0.9048", False), ("0.9046", True)):
        results.write_text(
            "model,accuracy,precision,recall\n"
            f"a,0.92500000,{precision},0.95000000\n"
            "b,0.90000000,0.90000000,0.90000000\n"
        )
        assert main([str(results), "--sets", str(SETS)]) == 0
        printed_lines = capsys.readouterr().out
        assert ("the rows are not metrics of one set" in printed_lines) is contradicted


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
            searched = search_confusions(row.metrics, positives, negatives, row.decimals)
            assert searched.truncated == []


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
        (
            "accuracy,precision\n0.9,0.8\n",
            "the first column is 'accuracy'; it must be the row's name",
        ),
        ("model,accuracy\nx,-0.5\n", "results.csv:2: accuracy -0.5 is below 0"),
        ("model,accuracy\nx,100.01%\n", "results.csv:2: accuracy 100.01% is above 1"),
        (f"model,accuracy\nx,0.{'1' * 5000}\n", "is not a number"),
        ("model,kappa\nx,-1.5\n", "results.csv:2: kappa -1.5 is below -1"),
        ("model,accuracy\nx, 0.9\n", "results.csv:2: accuracy ' 0.9' starts or ends"),
        ("model,accuracy,\nx,0.9,1\n", "results.csv:1: column '' is not one of"),
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
        ("set,positives,negatives\ntest,90000000,1\n", "more than 90000000 images"),
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
