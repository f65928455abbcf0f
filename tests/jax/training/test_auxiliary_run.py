"""A run with auxiliary targets: its loss has their parts, and its model has no trace of them.

That it resumes as another is in ``test_average.py``.
"""

import json
import shutil

import pytest

from elbow_core.errors import ConfigError
from elbow_jax import train
from elbow_jax.scoring import read_released
from tests.support.training import averaged_config, rows_of


def test_released_model_has_the_tensors_of_its_network(averaged):
    model = read_released(averaged / "run/model")
    assert "auxiliary" not in model.variables["params"]
    card = json.loads((averaged / "run/model/model.json").read_text())
    assert "auxiliary" not in json.dumps(card)


def test_further_losses_are_part_of_the_loss(averaged):
    losses = [row["loss"] for row in rows_of(averaged / "run") if "loss" in row]
    assert losses[0] > 1.0  # 0.69 of the label, 0.14 of the finding, 0.3 of 0.05 in 4 cells


def test_rates_by_group_need_one_for_the_heads(averaged, tmp_path):
    shutil.copytree(averaged / "data", tmp_path / "data")
    rates = {"backbone": 0.1, "head": 0.1}
    optimizer = {"learning_rate": rates, "momentum": 0.8, "warm_restarts": {"t_0": 2}}
    config = averaged_config(tmp_path, optimizer=optimizer)
    with pytest.raises(ConfigError, match=r"the groups .*'auxiliary'"):
        train.main(["--config", str(config)])
