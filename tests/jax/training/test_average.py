"""A run with AdamW, warm-up, clipping and an average of the weights, stopped and resumed."""

import dataclasses
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import load_file

from elbow_core.config import load_config
from elbow_core.dataset import open_prepared
from elbow_jax import train
from elbow_jax.config import TrainConfig
from elbow_jax.training import build_engine, score_split
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.releasing import better_weights
from elbow_jax.training.validation import validation_metrics
from tests.support.shared_folder import made_once
from tests.support.small_data import write_prepared
from tests.support.training import (
    STEPS_PER_EPOCH,
    assert_same_run,
    resume_the_last_epoch,
    rows_of,
    write_config,
)

ADAMW = {
    "kind": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.05,
    "warm_up_epochs": 0.5,
    "max_gradient_norm": 1.0,
    "warm_restarts": {"t_0": 4},
}


@pytest.fixture(scope="module")
def finished(request, tmp_path_factory) -> Path:
    """The folder of a finished run; read-only."""
    return made_once(request, tmp_path_factory, "averaged", _train)


def _train(folder: Path) -> None:
    write_prepared(folder / "data", seed=0)
    assert train.main(["--config", str(_config(folder))]) == 0


def _config(folder: Path) -> Path:
    return write_config(folder, optimizer=ADAMW, ema_decay=0.9, epochs=3)


def test_rate_rises_for_half_an_epoch(finished):
    rows = [row for row in rows_of(finished / "run") if "loss" in row]
    rates = {row["step"]: row["learning_rate"] for row in rows}
    warm_up = STEPS_PER_EPOCH // 2
    assert rates[2] == pytest.approx(2e-3 * 2 / (warm_up + 1))
    assert max(rates.values()) == pytest.approx(2e-3)
    assert rates[max(rates)] < rates[4]


def test_released_weights_are_the_better_of_the_last_and_the_average(finished):
    rows = [row for row in rows_of(finished / "run") if "validation" in row]
    assert len(rows) == 3
    config = load_config(TrainConfig, finished / "train.yaml")
    data = open_prepared(finished / "data")
    engine = build_engine(config, data)
    with Checkpoints(finished / "run/checkpoints", read_only=True) as checkpoints:
        best = checkpoints.best()
        assert best is not None
        state, _ = checkpoints.restore(best, engine.state)
    (row,) = [row for row in rows if row["step"] == best]
    candidates = {"validation": state.variables, "validation_average": state.average}
    for name, variables in candidates.items():
        metrics = validation_metrics(*score_split(engine, variables, data, 8, "validation"))
        assert row[name] == pytest.approx(metrics, rel=1e-6)
    labels, logits = score_split(engine, state.variables, data, 8, "validation")
    nothing = dataclasses.replace(state, params=jax.tree.map(np.zeros_like, state.params))
    weights, _ = better_weights(engine, nothing, data, 8, labels, np.zeros_like(logits))
    assert weights is nothing.average
    averaged = row["validation_average"]["auroc"] > row["validation"]["auroc"]
    chosen = candidates["validation_average" if averaged else "validation"]
    released = load_file(finished / "run/model/weights.safetensors")
    for name, array in flatten_dict(jax.device_get(chosen), sep="/").items():
        np.testing.assert_array_equal(released[name], array)


def test_resumed_run_has_the_same_average(finished, tmp_path):
    assert_same_run(resume_the_last_epoch(finished, tmp_path / "again", _config), finished / "run")


def test_run_with_an_average_cannot_resume_without_it(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "other")
    shutil.rmtree(tmp_path / "other/run/model")
    config = write_config(tmp_path / "other", optimizer=ADAMW, epochs=3)
    with pytest.raises(Exception, match="ema_decay"):
        train.main(["--config", str(config), "--resume"])
