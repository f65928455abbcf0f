"""A released model is read as it was written, and only from regular files."""

import hashlib
import json
import os
from pathlib import Path

import jax
import numpy as np
import pytest

from elbow_jax import predict
from elbow_jax.scoring import read_released
from tests.support.commands import status_of
from tests.support.finished_runs import random_variables
from tests.support.released_models import CARD, NETWORK, SIZE, refused


def test_written_model_is_read_unchanged(model):
    read = read_released(model)
    assert read.card.thresholds == CARD["thresholds"]
    expected = random_variables(NETWORK, SIZE)
    jax.tree.map(np.testing.assert_array_equal, read.variables, expected)


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
