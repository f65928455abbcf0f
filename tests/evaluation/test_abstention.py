"""Thresholds that leave images to the reader: their choice, their file, the command, the report."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.errors import UserError
from elbow_core.evaluation import abstain, write_predictions
from elbow_core.evaluation.abstention import (
    AbstentionRecord,
    abstention_of,
    read_abstention,
    write_abstention,
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
from elbow_core.evaluation.statistics import (
    LEFT,
    Abstention,
    choose_abstention,
    first_level,
)
from elbow_core.evaluation.statistics.abstention import CANDIDATES
from tests.support.abstention_data import clear_predictions, population, predictions_of
from tests.support.commands import refusal_of, status_of

OPTIONS = ("--missed", "0.05", "--false-alarms", "0.1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Predictions of both sets, and the thresholds chosen on validation; read-only."""
    folder = tmp_path_factory.mktemp("abstention")
    write_predictions(folder / "validation.csv", clear_predictions())
    write_predictions(folder / "test.csv", clear_predictions(150, "t", seed=1))
    out = folder / "abstention.json"
    assert status_of(abstain, str(folder / "validation.csv"), *OPTIONS, "--out", str(out)) == 0
    return folder


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


def test_record_is_read_as_it_was_written(tmp_path):
    record = abstention_of(clear_predictions(), 0.05, 0.1, 0.9, 2)
    assert record.normal is not None
    write_abstention(tmp_path / "a.json", record)
    assert read_abstention(tmp_path / "a.json") == record
    assert (record.unit, record.predictions_sha256) == ("image", None)


HOSTILE = (None, "", "a\nb", [], {}, True, -1, -0.5, 2, 1.5, 1e308, "0.5", "\x1b[2J")


def test_every_field_of_the_file_with_hostile_values_is_refused_in_one_line(folder, tmp_path):
    content = json.loads((folder / "abstention.json").read_text())
    sound = {
        "most_images": (None, 2),
        "normal": (None,),
        "injury": (None,),
        "patients": (2,),
        "images": (2,),
        "injured": (2,),
        "model": ("0.5",),
        "predictions_sha256": (None,),
        "normal.images": (2,),
        "injury.images": (2,),
        "normal.wrong": (2,),
        "injury.wrong": (2,),
    }
    tried, path = 0, tmp_path / "a.json"
    names = [
        *content,
        *(f"{side}.{name}" for side in ("normal", "injury") for name in content[side]),
    ]
    for name in names:
        outer, _, inner = name.partition(".")
        for value in HOSTILE:
            if any(type(value) is type(good) and value == good for good in sound.get(name, ())):
                continue
            changed = json.loads(json.dumps(content))
            if inner:
                changed[outer][inner] = value
            else:
                changed[outer] = value
            path.write_text(json.dumps(changed))
            with pytest.raises(UserError) as refusal:
                read_abstention(path)
            line = str(refusal.value)
            assert line.startswith(f"{path}: is not an abstention.json: "), (name, value)
            assert line.isprintable(), (name, value)
            tried += 1
    assert tried > 150


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("0.95", "NaN"), "NaN is not a number"),
        (lambda text: text.replace('"model"', '"modell"'), "model: Field required"),
        (lambda text: text.replace('"patients"', '"more": 1, "patients"'), "more: "),
        (lambda text: text.replace('"patients"', '"model": "a", "patients"'), "is repeated"),
        (
            lambda text: text.replace('"abstention_version": 1', '"abstention_version": 2'),
            "version",
        ),
        (lambda text: "[]", "is not an abstention.json"),
        (lambda text: text + " " * (1 << 20), "has more than"),
    ],
)
def test_file_that_is_no_abstention_is_refused(folder, tmp_path, change, message):
    path, text = tmp_path / "a.json", (folder / "abstention.json").read_text()
    assert change(text) != text
    path.write_text(change(text))
    with pytest.raises(UserError, match=message):
        read_abstention(path)


def test_thresholds_that_cross_and_tests_that_failed_are_refused(folder):
    content = json.loads((folder / "abstention.json").read_text())
    for side, name, value, message in (
        ("normal", "threshold", 0.999, "above that of injury"),
        ("normal", "p", 0.5, "above its level"),
        ("injury", "wrong", 10_000, "10000 of"),
    ):
        changed = json.loads(json.dumps(content))
        changed[side][name] = value
        with pytest.raises(ValueError, match=message):
            AbstentionRecord.model_validate_json(json.dumps(changed))


def test_pipe_or_folder_in_place_of_the_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "gone.json"):
        with pytest.raises(UserError, match="cannot be read"):
            read_abstention(path)


def test_command_says_what_it_chose_and_promises(folder, tmp_path, capsys):
    out = tmp_path / "a.json"
    for _ in range(2):  # its own file may be replaced
        status = status_of(abstain, str(folder / "validation.csv"), *OPTIONS, "--out", str(out))
        assert status == 0
    lines = capsys.readouterr().out.splitlines()[-6:]
    record = read_abstention(out)
    assert record.normal is not None
    assert record.injury is not None
    assert lines[0] == (
        "network: 800 images of 400 patients, 400 injured; every patient counts once"
    )
    assert lines[1].startswith(
        f"normal: score below {record.normal.threshold:g}, {record.normal.images} images, "
        f"{record.normal.wrong} of them injured; promise: at most 0.05 (p "
    )
    assert lines[2].startswith(f"injury: score from {record.injury.threshold:g}, ")
    left = 800 - record.normal.images - record.injury.images
    assert lines[3] == f"left to the reader: {left} of 800 images ({left / 800:.1%})"
    assert lines[5] == str(out)


def test_command_says_how_many_patients_an_answer_takes(tmp_path, capsys):
    few = clear_predictions(60)
    few.patient_id[:3] = ""
    write_predictions(tmp_path / "few.csv", few)
    out = tmp_path / "a.json"
    assert status_of(abstain, str(tmp_path / "few.csv"), *OPTIONS, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    # 0.95^116 is above 0.05 / 2 / 10, and 0.95^117 below.
    assert "normal: never, since no threshold is certain to keep 0.05; it takes 117 pat" in printed
    assert "3 images name no patient; each counts as a patient of its own" in printed
    assert "left to the reader: 120 of 120 images (100.0%)" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--missed", "0", "--false-alarms", "0.1"), "--missed: 0 is not inside 0 to 1"),
        (("--missed", "1.5", "--false-alarms", "0.1"), "--missed: '1.5' is not a number from 0"),
        (("--missed", "nan", "--false-alarms", "0.1"), "--missed: 'nan' is not a number from 0"),
        (("--missed", "0.1", "--false-alarms", "1"), "--false-alarms: 1 is not inside 0 to 1"),
        ((*OPTIONS, "--confidence", "95"), "--confidence: '95' is not a number from 0 to 1"),
        ((*OPTIONS, "--unit", "image"), "--most-images: belongs to --unit image"),
        ((*OPTIONS, "--most-images", "2"), "--most-images: belongs to --unit image"),
        ((*OPTIONS, "--unit", "image", "--most-images", "0"), "0 is not at least 1"),
        ((*OPTIONS, "--unit", "image", "--most-images", "two"), "'two' is not a whole number"),
    ],
)
def test_option_that_is_none_is_a_usage_error(folder, tmp_path, capsys, options, message):
    arguments = (str(folder / "validation.csv"), *options, "--out", str(tmp_path / "a.json"))
    assert status_of(abstain, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


def one_class(predictions):
    predictions.label[:] = 1


def constant(predictions):
    predictions.score[:] = 0.25


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (one_class, (), "v.csv: validation needs images of both classes"),
        (constant, (), "v.csv: every score is 0.25; no threshold divides the images"),
        (None, ("--unit", "image", "--most-images", "1"), "v.csv:2: patient 'vp0' has 2 images"),
    ],
)
def test_validation_that_allows_no_choice_is_refused(tmp_path, capsys, change, options, message):
    predictions = clear_predictions(20)
    if change is not None:
        change(predictions)
    write_predictions(tmp_path / "v.csv", predictions)
    arguments = (str(tmp_path / "v.csv"), *OPTIONS, *options, "--out", str(tmp_path / "a.json"))
    assert message in refusal_of(capsys, abstain, *arguments)
    assert not (tmp_path / "a.json").exists()


def test_score_that_is_not_a_number_is_refused_with_its_line(folder, tmp_path, capsys):
    path = tmp_path / "v.csv"
    lines = (folder / "validation.csv").read_text().splitlines()
    cells = lines[3].split(",")
    lines[3] = ",".join([*cells[:4], "nan", *cells[5:]])
    path.write_text("\n".join(lines))
    arguments = (str(path), *OPTIONS, "--out", str(tmp_path / "a.json"))
    assert f"{path}:4: score 'nan' is not a number" in refusal_of(capsys, abstain, *arguments)


def test_file_of_someone_else_is_not_replaced(folder, tmp_path, capsys):
    out = tmp_path / "mine.json"
    out.write_text('{"mine": 1}')
    arguments = (str(folder / "validation.csv"), *OPTIONS, "--out", str(out))
    assert "was not written by this command" in refusal_of(capsys, abstain, *arguments)
    assert out.read_text() == '{"mine": 1}'


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
    summary = model_summary(predictions, points, None, [], 100, 0)
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
