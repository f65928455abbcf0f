"""One run on several devices and in several processes."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from elbow_core.errors import ConfigError
from elbow_jax.runtime import join_processes
from tests.support import tolerances
from tests.support.small_data import write_prepared
from tests.support.training import rows_of, start, write_config

# Training steps amplify rounding errors; at this rate they stay small for three epochs.
OPTIMIZER = {
    "learning_rate": 5e-3,
    "momentum": 0.8,
    "weight_decay": 1e-3,
    "warm_restarts": {"t_0": 2},
}


@pytest.fixture(scope="module")
def one_device(tmp_path_factory) -> Path:
    """The folder of a run on one device."""
    folder = tmp_path_factory.mktemp("one_device")
    write_prepared(folder / "data")
    finish([start(write_config(folder, optimizer=OPTIMIZER))])
    return folder


def configure(one_device: Path, folder: Path, **changes) -> Path:
    (folder / "data").symlink_to(one_device / "data")
    return write_config(folder, **{"optimizer": OPTIMIZER} | changes)


def finish(processes) -> list[str]:
    """Wait for processes, which must succeed; return their output."""
    printed = []
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        printed.append(output)
    return printed


def assert_same_training(run: Path, other: Path) -> None:
    rows, others = rows_of(run), rows_of(other)
    assert [row["step"] for row in rows] == [row["step"] for row in others]
    for row, expected in zip(rows, others, strict=True):
        metrics, expected_metrics = (
            {**entry.get("validation", {}), "loss": entry.get("loss", 0.0)}
            for entry in (row, expected)
        )
        assert metrics == pytest.approx(expected_metrics, abs=tolerances.DEVICES)
    weights, expected_weights = (
        load_file(path / "model/weights.safetensors") for path in (run, other)
    )
    assert weights.keys() == expected_weights.keys()
    for name, array in expected_weights.items():
        scale = max(float(np.abs(array).max()), 1.0)
        np.testing.assert_allclose(weights[name], array, atol=tolerances.DEVICES * scale * 10)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_losses_do_not_depend_on_the_number_of_devices(one_device, tmp_path, devices):
    finish([start(configure(one_device, tmp_path), JAX_NUM_CPU_DEVICES=str(devices))])
    assert f'"devices": {devices}' in (tmp_path / "run/run.json").read_text()
    assert_same_training(tmp_path / "run", one_device / "run")


@pytest.mark.slow
def test_two_processes_of_two_devices_give_the_losses_of_one_device(one_device, tmp_path):
    """And write one run."""
    config = configure(one_device, tmp_path)
    printed = finish(start_two(config, JAX_NUM_CPU_DEVICES="2"))
    assert_same_training(tmp_path / "run", one_device / "run")
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert (record["processes"], record["devices"]) == (2, 4)
    assert "released model" in printed[0]
    assert "released model" not in printed[1]
    # One process can read the run of two.
    (resumed,) = finish([start(config, "--resume")])
    assert "finished already" in resumed


def start_two(config: Path, **environment: str):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    common = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    return [
        start(config, **(common | environment | {"JAX_PROCESS_ID": str(number)}))  # pyright: ignore
        for number in (0, 1)
    ]


def test_batch_that_devices_cannot_share_is_refused_before_any_step(one_device, tmp_path):
    config = configure(one_device, tmp_path, batch_size=6)
    process = start(config, JAX_NUM_CPU_DEVICES="4")
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "error: batch_size: 6 cannot be split over 4 devices" in errors
    assert not (tmp_path / "run").exists()


def test_missing_variable_of_the_process_group_is_named(monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "127.0.0.1:1")
    monkeypatch.delenv("JAX_NUM_PROCESSES", raising=False)
    with pytest.raises(ConfigError, match="is set, so JAX_NUM_PROCESSES must be too"):
        join_processes()
