"""The card of a released model: every field is checked."""

import json
from typing import Any

import pytest

from elbow_core.errors import ConfigError
from elbow_jax.scoring import read_released
from tests.support.hostile_json import HOSTILE, places, replaced
from tests.support.released_models import refused

# Hostile values that the schema allows, by field.
SOUND: dict[str, list[Any]] = {
    "architecture.cbam": [True],
    "architecture.features": [None],
    "architecture.dropout": [None, 0],
    "architecture.drop_path": [None, 0],
    "preprocessing": [{}],
    "preprocessing.clip_limit": [1e308],
    "preprocessing.amount": [0, 1e308],
    "thresholds.default": [0],
    "thresholds.youden": [0],
    "labels.0": ["0.5", "nan", "../../etc/passwd"],
    "labels.1": ["0.5", "nan", "../../etc/passwd"],
    "validation": [{}],
    "validation.auroc": [-1, -0.5, 1e308, 0],
    "step": [0],
}


def test_every_field_with_every_hostile_value_is_refused_in_one_line(copied):
    file = copied / "model.json"
    card = json.loads(file.read_text())
    tried = 0
    for place in places(card):
        name = ".".join(map(str, place))
        sound = [(type(value), value) for value in SOUND.get(name, [])]
        for value in HOSTILE:
            if (type(value), value) in sound:
                continue
            file.write_text(json.dumps(replaced(card, place, value)))
            with pytest.raises(ConfigError) as refusal:
                read_released(copied)
            line = str(refusal.value)
            assert line.startswith(str(copied)), (name, value)
            assert line.isprintable(), (name, value)
            assert len(line) < 1000, (name, value)
            tried += 1
        removed = replaced(card, place, None)
        parent = removed
        for key in place[:-1]:
            parent = parent[key]
        del parent[place[-1]]
        file.write_text(json.dumps(removed))
        optional = ("architecture.", "preprocessing.", "thresholds.youden", "validation.")
        if not name.startswith(optional):
            with pytest.raises(ConfigError):
                read_released(copied)
    assert tried > 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("0.5", "NaN", 1), "NaN is not a number"),
        (lambda text: text.replace("0.5", "Infinity", 1), "Infinity is not a number"),
        (lambda text: text.replace("0.5", "1e999", 1), "1e999 is too large"),
        (lambda text: text.replace('"step"', '"step": 5, "step"'), "the key 'step' is repeated"),
        (lambda text: text.replace('"step"', '"more": 5, "step"'), "more: "),
        (lambda text: text.replace('"youden"', '"a\\nb"'), "is not the name of a threshold"),
        (lambda text: text.replace('"default"', '"other"'), "'default' is missing"),
        (lambda text: text.replace("0.5", "1.5", 1), "is not a number from 0 to 1"),
        (lambda text: text.replace('"injury"', '"normal"'), "both classes are 'normal'"),
        (lambda text: text.replace('"injury"', '" injury"'), "without blanks around it"),
        (lambda text: text.replace('"injury"', '"\\ud800"'), "the released model is damaged"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 1'), "belongs to"),
        (
            lambda text: text.replace('"schema_version": 2', '"schema_version": 4'),
            "a gate belongs",
        ),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 5'), "update the pr"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 0'), "schema_version"),
        (lambda text: "[" * 100_000, "is nested too deeply"),
        (lambda text: '{"a":' * 100_000, "is nested too deeply"),
        (lambda text: "[]", "the released model is damaged"),
        (lambda text: "", "the released model is damaged"),
        (lambda text: text + " " * (1 << 20), "has more than 1048576 bytes"),
    ],
)
def test_card_that_is_no_card_is_refused(model, copied, capsys, change, message):
    text = (copied / "model.json").read_text()
    assert change(text) != text
    (copied / "model.json").write_text(change(text))
    assert message in refused(capsys, copied, model)


def test_card_that_is_not_utf8_is_refused(model, copied, capsys):
    (copied / "model.json").write_bytes(b"\xff\xfe{}")
    assert "is not UTF-8" in refused(capsys, copied, model)


def test_card_of_the_former_version_is_opened(copied):
    card = json.loads((copied / "model.json").read_text()) | {"schema_version": 1}
    del card["seen_images_sha256"]
    (copied / "model.json").write_text(json.dumps(card))
    (copied / "seen_images.csv").unlink()
    assert read_released(copied).card.seen_images_sha256 is None
