"""A run with auxiliary targets: it resumes as another, and its model has no trace of them."""

import json
import shutil
from pathlib import Path

import pytest

from elbow_core.errors import ConfigError
from elbow_jax import train
from elbow_jax.scoring import read_released
from tests.support.shared_folder import made_once
from tests.support.small_data import write_prepared
from tests.support.training import (
    assert_same_run,
    resume_the_last_epoch,
    rows_of,
    write_config,
)

AUXILIARY = {"place": 0.3, "finding": 0.2}


@pytest.fixture(scope="module")
def finished(request, tmp_path_factory) -> Path:
    """The folder of a finished run; read-only."""
    return made_once(request, tmp_path_factory, "auxiliary", _train)


def _train(folder: Path) -> None:
    write_prepared(folder / "data", seed=0)
    assert train.main(["--config", str(_config(folder))]) == 0


def _config(folder: Path, **changes) -> Path:
    return write_config(folder, auxiliary=AUXILIARY, ema_decay=0.9, epochs=2, **changes)


def test_released_model_has_the_tensors_of_its_network(finished):
    model = read_released(finished / "run/model")
    assert "auxiliary" not in model.variables["params"]
    card = json.loads((finished / "run/model/model.json").read_text())
    assert "auxiliary" not in json.dumps(card)


def test_further_losses_are_part_of_the_loss(finished):
    losses = [row["loss"] for row in rows_of(finished / "run") if "loss" in row]
    assert losses[0] > 1.0  # 0.69 of the label, 0.14 of the finding, 0.3 of 0.05 in 4 cells


def test_resumed_run_is_the_same(finished, tmp_path):
    assert_same_run(resume_the_last_epoch(finished, tmp_path / "again", _config), finished / "run")


def test_rates_by_group_need_one_for_the_heads(finished, tmp_path):
    shutil.copytree(finished / "data", tmp_path / "data")
    rates = {"backbone": 0.1, "head": 0.1}
    optimizer = {"learning_rate": rates, "momentum": 0.8, "warm_restarts": {"t_0": 2}}
    config = _config(tmp_path, optimizer=optimizer)
    with pytest.raises(ConfigError, match=r"the groups .*'auxiliary'"):
        train.main(["--config", str(config)])
