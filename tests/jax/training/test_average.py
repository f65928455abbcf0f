"""A run with AdamW, warm-up, clipping and an average of the weights, stopped and resumed."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import load_file

from elbow_core.config import load_config
from elbow_core.dataset import open_prepared
from elbow_jax import train
from elbow_jax.auxiliary import without_heads
from elbow_jax.config import TrainConfig
from elbow_jax.training import build_engine, score_split
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.releasing import better_weights
from elbow_jax.training.validation import validation_metrics
from tests.support.training import (
    STEPS_PER_EPOCH,
    assert_same_run,
    averaged_config,
    resume_the_last_epoch,
    rows_of,
)


def test_log_has_every_log_step_and_every_epoch(averaged):
    rows = rows_of(averaged / "run")
    logged = [row["step"] for row in rows if "loss" in row]
    assert logged == list(range(2, 2 * STEPS_PER_EPOCH + 1, 2))
    validated = [row["step"] for row in rows if "validation" in row]
    assert validated == [STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH]


def test_rate_rises_for_half_an_epoch(averaged):
    rows = [row for row in rows_of(averaged / "run") if "loss" in row]
    rates = {row["step"]: row["learning_rate"] for row in rows}
    warm_up = STEPS_PER_EPOCH // 2
    assert rates[2] == pytest.approx(2e-3 * 2 / (warm_up + 1))
    assert max(rates.values()) == pytest.approx(2e-3)
    assert rates[max(rates)] < rates[4]


def test_released_weights_are_the_better_of_the_last_and_the_average(averaged):
    rows = [row for row in rows_of(averaged / "run") if "validation" in row]
    assert len(rows) == 2
    config = load_config(TrainConfig, averaged / "train.yaml")
    data = open_prepared(averaged / "data")
    engine = build_engine(config, data)
    with Checkpoints(averaged / "run/checkpoints", read_only=True) as checkpoints:
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
    better = row["validation_average"]["auroc"] > row["validation"]["auroc"]
    chosen = candidates["validation_average" if better else "validation"]
    released = load_file(averaged / "run/model/weights.safetensors")
    for name, array in flatten_dict(jax.device_get(without_heads(chosen)), sep="/").items():
        np.testing.assert_array_equal(released[name], array)


def test_resumed_run_has_the_same_average_and_auxiliary_heads(averaged, tmp_path):
    assert_same_run(
        resume_the_last_epoch(averaged, tmp_path / "again", averaged_config), averaged / "run"
    )


def test_run_with_an_average_cannot_resume_without_it(averaged, tmp_path, capsys):
    shutil.copytree(averaged, tmp_path / "other")
    shutil.rmtree(tmp_path / "other/run/model")
    config = averaged_config(tmp_path / "other", ema_decay=None)
    with pytest.raises(Exception, match="ema_decay"):
        train.main(["--config", str(config), "--resume"])
