"""`python -m benchmarks.learning`: what it refuses, and equal curves of two short trainings."""

import json

import numpy as np
import pytest

from benchmarks.learning import __main__ as learning
from tests.support.commands import refusal_of, status_of
from tests.support.small_data import write_prepared
from tests.support.training import write_config

ADAMW = {
    "kind": "adamw",
    "learning_rate": 1e-4,
    "weight_decay": 0.05,
    "warm_up_epochs": 0.5,
    "max_gradient_norm": 1.0,
    "warm_restarts": {"t_0": 2},
}


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"ema_decay": 0.99}, "ema_decay"),
        ({"auxiliary": {"finding": 0.3}}, "auxiliary"),
        ({"accumulate": 2}, "accumulate"),
        ({"pos_weight": 2.0}, "pos_weight"),
    ],
)
def test_options_that_one_side_lacks_are_refused(tmp_path, capsys, changes, option):
    config = write_config(tmp_path, **changes)
    line = refusal_of(capsys, learning, "--config", str(config), "--out", str(tmp_path / "out"))
    assert line.endswith(f"{option}: not supported by this comparison")


@pytest.mark.slow
def test_both_curves_are_the_same_from_shipped_weights(tmp_path):
    write_prepared(tmp_path / "data")
    model = {"backbone": "mobilenetv3_large", "variant": "small"}
    init = "synthetic/mobilenetv3_large_small"
    config = write_config(tmp_path, epochs=2, model=model, init=init, optimizer=ADAMW)
    assert status_of(learning, "--config", str(config), "--out", str(tmp_path / "out")) == 0
    name = "learning_mobilenetv3_large_small"
    record = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    curves = record["courses"]
    np.testing.assert_allclose(curves["JAX"]["loss"], curves["PyTorch"]["loss"], atol=1e-3)
    assert len(curves["JAX"]["auroc"]) == len(curves["PyTorch"]["auroc"]) == 2
    assert f"first weights: {init}." in (tmp_path / "out" / f"{name}.md").read_text()
