"""Fine-tuning with two torchrun processes on a CPU equals fine-tuning with one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.support.commands import error_of
from tests.support.paths import ROOT
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import settings, write_config
from vlm_torch import finetune

LOSS = 1e-4
"""Relative difference between one process and two: the summation order of gradients differs."""


def rows_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "architecture", ["medgemma", pytest.param("llava_rad", marks=pytest.mark.slow)]
)
def test_two_processes_give_the_losses_of_one(tmp_path, architecture):
    write_prepared(tmp_path / "data")
    one = write_config(tmp_path, architecture, log_every=1)
    assert finetune.main(["--config", str(one)]) == 0
    values = settings(tmp_path, architecture) | {"run": str(tmp_path / "two"), "log_every": 1}
    two = tmp_path / "two.yaml"
    two.write_text(yaml.safe_dump(values))
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *("-m", "vlm_torch.finetune", "--config", str(two)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    single, distributed = rows_of(tmp_path / "run"), rows_of(tmp_path / "two")
    assert [row["step"] for row in distributed] == [row["step"] for row in single]
    for first, second in zip(single, distributed, strict=True):
        if "loss" in first:
            assert second["loss"] == pytest.approx(first["loss"], rel=LOSS)
            assert second["learning_rate"] == first["learning_rate"]
        else:
            expected = pytest.approx(first["validation"]["loss"], rel=LOSS)
            assert second["validation"]["loss"] == expected
    adapter, other = (
        load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("run", "two")
    )
    assert adapter.keys() == other.keys()
    for name, tensor in adapter.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=LOSS)
    assert len([row for row in single if "loss" in row]) == 6
    assert json.loads((tmp_path / "two/run.json").read_text())["processes"] == 2


def test_accumulate_that_is_no_multiple_of_the_processes_is_refused(tmp_path, capsys, monkeypatch):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma")
    monkeypatch.setenv("WORLD_SIZE", "3")
    message = error_of(capsys, finetune, "--config", str(config))
    assert "accumulate: 2 is not a multiple of the 3 processes" in message
