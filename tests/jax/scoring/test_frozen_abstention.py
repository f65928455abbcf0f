"""Thresholds that leave images to the reader, frozen into a released model."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from elbow_core.errors import ConfigError
from elbow_core.evaluation.abstention import write_abstention
from elbow_jax import freeze, predict
from elbow_jax.scoring import freeze_abstention, read_card, read_released
from tests.support.abstention_data import record
from tests.support.commands import refusal_of, status_of
from tests.support.released_models import refused


def digests(model: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in model.iterdir()}


def test_freezing_changes_the_card_alone_and_keeps_its_digests(copied, tmp_path, capsys):
    before, content = read_card(copied), digests(copied)
    write_abstention(tmp_path / "abstention.json", record(0.2, 0.7))
    assert status_of(freeze, "--model", str(copied), str(tmp_path / "abstention.json")) == 0
    assert capsys.readouterr().out.splitlines() == [str(copied / "model.json")]
    after = read_released(copied).card
    assert after.abstention == record(0.2, 0.7)
    assert after.model_copy(update={"abstention": None, "schema_version": 2}) == before
    changed = digests(copied)
    assert {name for name in content if changed[name] != content[name]} == {"model.json"}
    assert set(changed) == set(content)
    # Later thresholds replace earlier ones.
    freeze_abstention(copied, record(None, 0.9))
    assert read_released(copied).card.abstention == record(None, 0.9)


def test_card_without_thresholds_is_that_of_version_2(model):
    content = json.loads((model / "model.json").read_text())
    assert content["schema_version"] == 2
    assert "abstention" not in content
    assert read_card(model).abstention is None


def test_answer_of_a_score_is_that_of_the_two_thresholds_unless_one_is_asked_for(copied):
    scores = (0.0, 0.1999, 0.2, 0.4, 0.6999, 0.7, 1.0)
    one_threshold = ["normal"] * 3 + ["injury"] * 4
    plain = predict.answers_of(read_card(copied), "youden")
    assert [plain(score) for score in scores] == one_threshold
    freeze_abstention(copied, record(0.2, 0.7))
    card = read_card(copied)
    asked = predict.answers_of(card, "youden")
    assert [asked(score) for score in scores] == one_threshold
    three = predict.answers_of(card, None)
    expected = ["normal"] * 2 + ["uncertain"] * 3 + ["injury"] * 2
    assert [three(score) for score in scores] == expected
    assert predict.describe_left(record(0.2, 0.7), np.array(scores)) == (
        "left to the reader: 3 of 7 images; promised for patients like those of validation, with "
        "confidence 0.95: at most 0.05 injured of those called normal, at most 0.1 normal of those "
        "called injured"
    )
    freeze_abstention(copied, record(None, None))
    nothing = predict.answers_of(read_card(copied), None)
    assert {nothing(score) for score in scores} == {"uncertain"}


def test_model_that_is_damaged_or_too_old_gets_no_thresholds(copied, tmp_path):
    card = json.loads((copied / "model.json").read_text())
    old = tmp_path / "old"
    shutil.copytree(copied, old)
    former = {key: value for key, value in card.items() if key != "seen_images_sha256"}
    (old / "model.json").write_text(json.dumps(former | {"schema_version": 1}))
    with pytest.raises(ConfigError, match="is of version 1"):
        freeze_abstention(old, record(0.2, 0.7))
    (copied / "weights.safetensors").write_bytes(b"other")
    before = (copied / "model.json").read_bytes()
    with pytest.raises(ConfigError, match="its SHA-256 differs"):
        freeze_abstention(copied, record(0.2, 0.7))
    assert (copied / "model.json").read_bytes() == before


def test_model_whose_label_is_the_third_answer_gets_no_thresholds(copied):
    card = json.loads((copied / "model.json").read_text())
    (copied / "model.json").write_text(json.dumps(card | {"labels": ["normal", "uncertain"]}))
    with pytest.raises(ConfigError, match="'uncertain' is the name of the third answer"):
        freeze_abstention(copied, record(0.2, 0.7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card | {"schema_version": 2}, "abstention alone to 3"),
        (lambda card: card | {"abstention": None}, "abstention alone to 3"),
        (lambda card: card | {"labels": ["uncertain", "b"]}, "is the name of the third answer"),
        (lambda card: card | {"abstention": card["abstention"] | {"patients": 0}}, "patients: "),
        (lambda card: card | {"seen_images_sha256": None}, "belongs to version 2 and later"),
    ],
)
def test_card_with_thresholds_is_read_strictly(model, copied, capsys, change, message):
    freeze_abstention(copied, record(0.2, 0.7))
    card = json.loads((copied / "model.json").read_text())
    (copied / "model.json").write_text(json.dumps(change(card)))
    assert message in refused(capsys, copied, model)


def test_thresholds_of_another_run_are_refused_and_the_run_is_locked(copied, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    shutil.move(copied, run / "model")
    (run / "config.yaml").write_text("epochs: 1\n")
    for name in ("another", "run"):
        write_abstention(tmp_path / f"{name}.json", record(0.2, 0.7, name))
    arguments = ("--model", str(run / "model"))
    line = refusal_of(capsys, freeze, *arguments, str(tmp_path / "another.json"))
    assert "is the model of the run 'run', and the thresholds were chosen for 'another'" in line
    assert read_card(run / "model").abstention is None
    assert status_of(freeze, *arguments, str(tmp_path / "run.json")) == 0
    assert read_card(run / "model").abstention == record(0.2, 0.7, "run")


def test_file_that_is_no_abstention_is_refused(copied, tmp_path, capsys):
    (tmp_path / "a.json").write_text("{}")
    line = refusal_of(capsys, freeze, "--model", str(copied), str(tmp_path / "a.json"))
    assert "a.json: is not an abstention.json: " in line
