"""The report of three answers: realised shares, and thresholds of other models."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.evaluation import write_predictions
from elbow_core.evaluation.abstention import (
    abstention_of,
    read_abstention,
)
from elbow_core.evaluation.operating_points import operating_points
from elbow_core.evaluation.report import __main__ as report
from elbow_core.evaluation.report.abstention import abstention_blocks
from elbow_core.evaluation.report.content import (
    AbstentionSummary,
    abstention_summary,
    model_summary,
)
from elbow_core.evaluation.report.rendering import Table
from elbow_core.evaluation.statistics.abstention import LEFT
from tests.support.abstention_data import (
    clear_predictions,
    predictions_of,
    write_chosen,
)
from tests.support.commands import refusal_of, status_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Predictions of both sets, and the thresholds chosen on validation; read-only."""
    return write_chosen(tmp_path_factory.mktemp("abstention"))


def reported(folder: Path, out: Path, *more: str, predictions: str = "test.csv") -> dict[str, Any]:
    arguments = [str(folder / predictions), "--out", str(out), "--draws", "100", *more]
    assert report.main(arguments) == 0
    return json.loads((out / "metrics.json").read_text())


def test_report_has_the_realised_shares_of_three_answers(folder, tmp_path):
    written = reported(folder, tmp_path / "r", "--abstain", str(folder / "abstention.json"))
    record = read_abstention(folder / "abstention.json")
    test = clear_predictions(150, "t", seed=1)
    answers, found = record.answers(test.score), written["models"]["network"]["abstention"]
    assert (found["unit"], found["confidence"]) == ("patient", 0.95)
    for name, answer in (("normal", 0), ("injury", 1)):
        called = answers == answer
        wrong = called & (test.label != answer)
        # Every patient has two images, so that both units give one share.
        assert found[name]["images"] == called.sum()
        assert found[name]["wrong"] == wrong.sum()
        assert found[name]["share"] == pytest.approx(wrong.sum() / called.sum())
        assert found[name]["low"] <= found[name]["share"] <= found[name]["high"]
    assert found["left"]["images"] == (answers == LEFT).sum()
    assert found["left"]["share"] == pytest.approx((answers == LEFT).mean())
    text = (tmp_path / "r" / "report.md").read_text()
    assert "## Left to the reader" in text
    assert f"network: {(answers == LEFT).sum()} of 300 images are left to the reader" in text
    assert "chosen on these predictions" not in text


def test_share_of_patients_weighs_each_patient_once():
    """Patient 0 has three images called normal, one of them wrong; patient 1 has a right one."""
    labels, scores = np.array([1, 0, 0, 0, 1]), np.array([0.1, 0.1, 0.1, 0.1, 0.9])
    test = predictions_of(labels, scores, np.array([0, 0, 0, 1, 2]))
    for most_images, share in ((None, (1 / 3) / 2), (3, 1 / 4)):
        record = abstention_of(clear_predictions(800), 0.05, 0.1, most_images=most_images)
        found = abstention_summary(test, record)
        assert found.normal.share.value == pytest.approx(share)
        assert 0 <= found.normal.share.low < share < found.normal.share.high <= 1
        assert (found.injury.share.value, found.left) == (0, 0)


def test_answer_that_is_never_given_has_no_share():
    record = abstention_of(clear_predictions(60), 0.05, 0.1)
    found = abstention_summary(clear_predictions(20, "t"), record)
    assert np.isnan(found.normal.share.value)
    assert found.normal.share.reason == "no image is called normal"
    assert found.left_share.value == 1
    (table,) = (block for block in abstention_blocks_of(found) if isinstance(block, Table))
    assert table.rows[0] == ("network: normal", "never given", "0", "0", "–", "–")


def abstention_blocks_of(found: AbstentionSummary) -> list[Any]:
    """Return the blocks of the section for one model."""
    predictions = clear_predictions(20, "t")
    points = operating_points(None, None)
    summary = model_summary(predictions, points, None, [], None, 100, 0)
    return abstention_blocks({"network": replace(summary, abstention=found)})


def test_thresholds_of_another_model_are_refused(folder, tmp_path, capsys):
    write_predictions(tmp_path / "test.csv", clear_predictions(150, "t", model="another"))
    arguments = [str(tmp_path / "test.csv"), "--out", str(tmp_path / "r")]
    line = refusal_of(capsys, report, *arguments, "--abstain", str(folder / "abstention.json"))
    assert "abstention.json: was chosen for the model 'network', and " in line
    assert "holds 'another'" in line


def test_model_json_gives_the_report_its_thresholds(folder, tmp_path, capsys):
    """Here on the very predictions on which they were chosen, which the report says."""
    abstention = json.loads((folder / "abstention.json").read_text())
    card = {"thresholds": {"default": 0.5}, "abstention": abstention}
    path = tmp_path / "model.json"
    path.write_text(json.dumps(card))
    options = ("--model-json", str(path), "--names", "renamed")
    written = reported(folder, tmp_path / "r", *options, predictions="validation.csv")
    found = written["models"]["renamed"]["abstention"]
    assert found["normal_below"] == abstention["normal"]["threshold"]
    assert any("renamed: the thresholds that leave" in note for note in written["notes"])
    path.write_text(json.dumps(card | {"abstention": abstention | {"confidence": 2}}))
    arguments = [str(folder / "test.csv"), "--out", str(tmp_path / "s"), "--model-json", str(path)]
    assert "model.json: abstention: confidence: " in refusal_of(capsys, report, *arguments)


def test_number_of_files_must_be_that_of_predictions(folder, tmp_path, capsys):
    abstention = str(folder / "abstention.json")
    arguments = [str(folder / "test.csv"), "--out", str(tmp_path / "r")]
    assert status_of(report, *arguments, "--abstain", abstention, abstention) == 2
    assert "--abstain: 2 given for 1 files" in capsys.readouterr().err
