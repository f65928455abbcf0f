"""abstention.json: read as it was written, and refused where it is damaged."""

import json
import os
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.evaluation.abstention import (
    AbstentionRecord,
    abstention_of,
    read_abstention,
    write_abstention,
)
from tests.support.abstention_data import (
    clear_predictions,
    write_chosen,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Predictions of both sets, and the thresholds chosen on validation; read-only."""
    return write_chosen(tmp_path_factory.mktemp("abstention"))


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
