"""A released model is opened only if it is exactly what its card and its network say."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import ConfigError, UserError
from elbow_core.radiographs import Preprocessing
from elbow_jax import predict
from elbow_jax.models import ModelConfig
from elbow_jax.porting import __main__ as porting
from elbow_jax.scoring import read_released, write_released
from tests.support.commands import refusal_of, status_of
from tests.support.finished_runs import random_variables

SIZE = 32
NETWORK = ModelConfig(backbone="mobilenetv3_large", variant="small")
CARD: dict[str, Any] = {
    "architecture": NETWORK,
    "preprocessing": Preprocessing(size=SIZE),
    "thresholds": {"default": 0.5, "youden": 0.4},
    "labels": ("normal", "injury"),
    "validation": {"auroc": 0.5},
    "step": 1,
}
HOSTILE = (
    None, "", "a\nb", "x" * 100_000, "\x1b[2J", "ü\u202e", [], {}, [[]], True, -1, -0.5, 10**400,
    1e308, 0, "0.5", "nan", {"a": {}}, ["a", "a"], "../../etc/passwd",
)  # fmt: skip
# Values above that the schema allows, by field.
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


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A released model, and an image beside it."""
    folder = tmp_path_factory.mktemp("released")
    write_released(folder / "model", random_variables(NETWORK, SIZE), NOTHING_SEEN, **CARD)
    image = np.random.default_rng(0).integers(0, 255, (60, 50), np.uint8)
    cv2.imwrite(str(folder / "image.png"), image)
    return folder / "model"


@pytest.fixture
def copied(model, tmp_path) -> Path:
    """A copy of the released model, to be changed."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def refused(capsys, model: Path, original: Path) -> str:
    """Predict with a model that must be refused; return the line."""
    image = str(original.parent / "image.png")
    return refusal_of(capsys, predict, "--model", str(model), image)


def rewrite(model: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Change the tensors of a model, and the digest in its card."""
    tensors = load_file(model / "weights.safetensors")
    change(tensors)
    save_file(tensors, model / "weights.safetensors")
    card = json.loads((model / "model.json").read_text())
    digest = hashlib.sha256((model / "weights.safetensors").read_bytes()).hexdigest()
    (model / "model.json").write_text(json.dumps(card | {"weights_sha256": digest}))


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values in a JSON tree, inner nodes included."""
    entries = content.items() if isinstance(content, dict) else enumerate(content)
    found = []
    for key, value in entries:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


def replaced(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a JSON tree with another value at a place."""
    content = json.loads(json.dumps(content))
    node = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return content


def test_written_model_is_read_unchanged(model):
    read = read_released(model)
    assert read.card.thresholds == CARD["thresholds"]
    expected = random_variables(NETWORK, SIZE)
    jax.tree.map(np.testing.assert_array_equal, read.variables, expected)


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
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 3'), "update the pr"),
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


def other_types(tensors, name):
    for kind in (np.float16, np.float64, np.int32, np.bool_, np.uint8):
        yield {**tensors, name: tensors[name].astype(kind)}


def other_shapes(tensors, name):
    array = tensors[name]
    yield {**tensors, name: array[None]}
    yield {**tensors, name: array.reshape(-1)[:-1]}
    yield {**tensors, name: np.zeros((0,), np.float32)}
    if array.ndim > 1:
        yield {**tensors, name: array.reshape(-1)}


def other_names(tensors, name):
    rest = {key: value for key, value in tensors.items() if key != name}
    yield rest
    for new in (name + " ", name.upper(), name.replace("/", "."), "\x1b[2J\n" + name, "x" * 9999):
        yield {**rest, new: tensors[name]}
    yield {**tensors, name + "/more": tensors[name]}


def test_every_tensor_with_another_type_shape_or_name_is_refused_in_one_line(copied):
    original = load_file(copied / "weights.safetensors")
    tried = 0
    for name in sorted(original)[::9]:
        for changes in (other_types, other_shapes, other_names):
            for tensors in changes(original, name):
                rewrite(copied, lambda found, new=tensors: (found.clear(), found.update(new)))
                with pytest.raises(
                    ConfigError, match=r"holds other tensors|is '\w+' and not"
                ) as refusal:
                    read_released(copied)
                line = str(refusal.value)
                assert line.isprintable()
                assert len(line) < 1000
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weight_that_is_not_finite_is_refused_with_its_name(model, copied, capsys, value):
    name = sorted(load_file(copied / "weights.safetensors"))[7]

    def damage(tensors):
        tensors[name].flat[-1] = value

    rewrite(copied, damage)
    line = refused(capsys, copied, model)
    assert f"{name} holds values that are not finite" in line
    arguments = ["--to-torch", str(copied), "--out", str(copied.parent / "out")]
    assert "not finite" in refusal_of(capsys, porting, *arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_released(tmp_path, value):
    variables = random_variables(NETWORK, SIZE)
    leaf = jax.tree.leaves(variables)[5]
    leaf.flat[0] = value
    with pytest.raises(UserError, match=r"is not released, since the weights .* not finite"):
        write_released(tmp_path / "model", variables, NOTHING_SEEN, **CARD)
    assert list(tmp_path.iterdir()) == []


def test_score_that_is_not_finite_names_the_image_and_writes_no_table(model, copied, capsys):
    def enlarge(tensors):
        for array in tensors.values():
            array *= np.float32(1e30)

    rewrite(copied, enlarge)
    image, out = str(model.parent / "image.png"), copied.parent / "out.csv"
    arguments = ["--model", str(copied), image, "--out", str(out)]
    line = refusal_of(capsys, predict, *arguments)
    assert f"{image}: the network gives nan and no score" in line
    assert not out.exists()


def as_pipe(file: Path) -> None:
    os.mkfifo(file)


def as_zeros(file: Path) -> None:
    file.symlink_to("/dev/zero")


def as_folder(file: Path) -> None:
    file.mkdir()


def as_terabyte(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(1 << 40)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
@pytest.mark.parametrize("make", [as_pipe, as_zeros, as_folder, as_terabyte])
def test_what_is_no_regular_file_of_its_size_is_refused_at_once(model, copied, capsys, name, make):
    (copied / name).unlink()
    make(copied / name)
    line = refused(capsys, copied, model)
    assert f"{copied / name}: cannot be read: " in line
    assert ("has more than" in line) == (make is as_terabyte)


def test_file_that_is_a_link_to_a_regular_file_is_read(model, copied):
    for name in ("model.json", "weights.safetensors"):
        (copied / name).unlink()
        (copied / name).symlink_to(model / name)
    assert status_of(predict, "--model", str(copied), str(model.parent / "image.png")) == 0


@pytest.mark.parametrize("length", [0, 7, 8, 100, 5000])
def test_truncated_weights_are_refused_though_the_card_names_them(model, copied, capsys, length):
    content = (copied / "weights.safetensors").read_bytes()[:length]
    (copied / "weights.safetensors").write_bytes(content)
    card = json.loads((copied / "model.json").read_text())
    card["weights_sha256"] = hashlib.sha256(content).hexdigest()
    (copied / "model.json").write_text(json.dumps(card))
    assert "the released model is damaged (weights.safetensors: " in refused(capsys, copied, model)
