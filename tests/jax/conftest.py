"""JAX and PyTorch as the tests of this folder need them, and finished runs of the commands."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from elbow_core.prepare import __main__ as prepare
from elbow_jax import evaluate, train
from elbow_jax.data import scoring_batches
from elbow_jax.training import validation
from tests.support.commands import status_of
from tests.support.frameworks import configure_jax, configure_torch
from tests.support.shared_folder import made_once
from tests.support.small_data import write_prepared
from tests.support.training import every_step_config

configure_jax()
configure_torch()


@pytest.fixture(scope="session")
def workspace(request, tmp_path_factory) -> Path:
    """A folder of images, prepared, trained on and evaluated by the commands; read-only."""
    return made_once(request, tmp_path_factory, "finished_by_commands", _prepare_train_evaluate)


@pytest.fixture(scope="session")
def trained(request, tmp_path_factory) -> Path:
    """The folder of a run with a checkpoint and a row after every step; read-only.

    `scored.json` lists the splits that it scored, in order.
    """
    return made_once(request, tmp_path_factory, "trained", _train)


def _train(folder: Path) -> None:
    write_prepared(folder / "data")
    scored = []

    def record(data, split, **options):
        scored.append(split)
        return scoring_batches(data, split, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "scoring_batches", record)
        assert train.main(["--config", str(every_step_config(folder))]) == 0
    (folder / "scored.json").write_text(json.dumps(scored))


def _prepare_train_evaluate(folder: Path) -> None:
    _write_images(folder / "images")
    data = {
        "source": {"kind": "folder", "classes": {"normal": 0, "injury": 1}},
        "root": str(folder / "images"),
        "out": str(folder / "data"),
        "preprocess": {"size": 32, "sigma": 1.5},
        "split": {"method": "fractions", "train": 0.6, "validation": 0.2, "test": 0.2},
        "workers": 0,
    }
    config = {
        "run": str(folder / "run"),
        "data": {"prepared": str(folder / "data"), "copies": 1},
        "model": {"backbone": "mobilenetv3_large", "variant": "small"},
        "optimizer": {"learning_rate": 0.05, "momentum": 0.8, "warm_restarts": {"t_0": 2}},
        "batch_size": 8,
        "epochs": 2,
    }
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    (folder / "train.yaml").write_text(yaml.safe_dump(config))
    assert status_of(prepare, "--config", str(folder / "data.yaml")) == 0
    assert status_of(train, "--config", str(folder / "train.yaml")) == 0
    assert status_of(evaluate, "--run", str(folder / "run"), "--batch-size", "8") == 0


def _write_images(folder: Path) -> None:
    """Write 60 PNGs, in a sub-folder for each class."""
    rng = np.random.default_rng(0)
    for number in range(60):
        label = ("normal", "injury")[number % 2]
        image = rng.integers(0, 120, (50, 40), dtype=np.uint8)
        image[10:30, 10:30] += np.uint8(100 * (number % 2))
        (folder / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / label / f"p{number:02d}.png"), image)
