"""Two processes of torchrun on a CPU against one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.support.paths import ROOT
from tests.support.small_data import write_prepared
from tests.support.vlm_runs import fail, settings, write_config
from vlm_torch import finetune

LOSS = 1e-4
"""Between one process and two, relative: the order in which gradients are added differs."""


def rows_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "architecture", ["medgemma", pytest.param("llava_rad", marks=pytest.mark.slow)]
)
def test_two_processes_give_the_losses_of_one(tmp_path, architecture):
    write_prepared(tmp_path / "data")
    one = write_config(tmp_path, architecture, log_every=1)
    assert finetune.main(["--config", str(one)]) == 0
    changed = settings(tmp_path, architecture) | {"run": str(tmp_path / "two"), "log_every": 1}
    two = tmp_path / "two.yaml"
    two.write_text(yaml.safe_dump(changed))
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *("-m", "vlm_torch.finetune", "--config", str(two)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    alone, together = rows_of(tmp_path / "run"), rows_of(tmp_path / "two")
    assert [row["step"] for row in together] == [row["step"] for row in alone]
    for first, second in zip(alone, together, strict=True):
        if "loss" in first:
            assert second["loss"] == pytest.approx(first["loss"], rel=LOSS)
            assert second["learning_rate"] == first["learning_rate"]
        else:
            wanted = pytest.approx(first["validation"]["loss"], rel=LOSS)
            assert second["validation"]["loss"] == wanted
    ours, theirs = (
        load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("run", "two")
    )
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=LOSS)
    assert len([row for row in alone if "loss" in row]) == 6
    assert json.loads((tmp_path / "two/run.json").read_text())["processes"] == 2


def test_parts_that_cannot_be_dealt_evenly_are_refused(tmp_path, capsys, monkeypatch):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma")
    monkeypatch.setenv("WORLD_SIZE", "3")
    message = fail(capsys, finetune.main, "--config", str(config))
    assert "accumulate: 2 parts cannot be dealt evenly to 3 processes" in message
