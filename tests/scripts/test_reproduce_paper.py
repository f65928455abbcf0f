"""The paper's recipe: its configurations load, and the script runs them end to end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.config import load_config
from elbow_core.errors import UserError
from elbow_core.prepare import DataConfig
from elbow_core.sources.synthetic import write_elbow_tree, write_mura_tree
from elbow_jax.config import TrainConfig
from scripts.compare_with_paper import METRICS, table
from tests.support.paths import ROOT

PAPER = ROOT / "configs" / "paper"
STAGES = {
    "pretrain_convnext": ("convnext_tiny", 35),
    "pretrain_efficientnet": ("efficientnetv2_s", 35),
    "pretrain_mobilenet": ("mobilenetv3_large", 35),
    "train_convnext": ("convnext_tiny", 28),
    "train_efficientnet": ("efficientnetv2_s", 28),
    "train_mobilenet": ("mobilenetv3_large", 28),
    "fuse": ("fusion", 12),
}


def test_the_folder_holds_the_seven_stages():
    assert {path.stem for path in PAPER.glob("*.yaml")} == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_with_the_epochs_of_the_paper(stage):
    config = load_config(TrainConfig, PAPER / f"{stage}.yaml")
    assert (config.model.backbone, config.epochs) == STAGES[stage]
    assert config.batch_size == 32
    assert config.run.parent == Path("runs/paper")
    pretraining = stage.startswith("pretrain")
    assert config.data.prepared.name == ("mura_384" if pretraining else "elbow_584")
    if stage.startswith("train"):
        assert config.init == f"runs/paper/pre{stage}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs" / "data").glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_data_configuration_loads(path):
    config = load_config(DataConfig, path)
    assert config.preprocess.size == (384 if path.stem == "mura" else 584)


def reproduce(project, *arguments):
    script = project / "scripts" / "reproduce_paper.sh"
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        ["bash", script, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path):
    """The scripts and configurations in a folder of their own, where the script writes."""
    for folder in ("scripts", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / "project" / folder)
    return tmp_path / "project"


def test_the_script_refuses_missing_data_and_unknown_arguments(project, tmp_path):
    missing = reproduce(project, str(tmp_path))
    assert missing.returncode == 2
    assert "MURA-v1.1: no such folder" in missing.stderr
    for arguments in ([], [str(tmp_path), "--scale", "tiny"]):
        wrong = reproduce(project, *arguments)
        assert wrong.returncode == 2
        assert "scripts/reproduce_paper.sh DATA [--scale small]" in wrong.stderr
    assert not (project / "runs").exists()


def test_the_mean_of_scores_is_compared_with_no_row_of_the_paper():
    metrics = dict.fromkeys(METRICS, 0.5)
    model = {**metrics, "intervals": {name: {"low": 0.4, "high": 0.6} for name in METRICS}}
    ours = {"models": {"convnext": model, "mean": model}, "mean": {"model": "mean"}}
    lines = table(ours).splitlines()
    assert lines[-1] == "| mean | ours |" + " 0.500 (0.400 to 0.600) |" * len(METRICS)
    assert sum("0.500 (0.400 to 0.600)" in line for line in lines) == 2
    without = {"models": {"convnext": model}}  # as reports of earlier versions
    assert table(without).splitlines() == lines[:-1]
    with pytest.raises(UserError, match="mean: the paper has no such model"):
        table({"models": {"mean": model}})


@pytest.mark.slow
def test_the_small_scale_runs_every_stage_and_a_second_call_repeats_none(project, tmp_path):
    data = tmp_path / "data"
    write_mura_tree(data, patients=60, seed=0, size=96)
    write_elbow_tree(data / "elbow", patients=60, seed=1, size=96)
    done = reproduce(project, str(data), "--scale", "small")
    assert done.returncode == 0, done.stdout + done.stderr
    runs = project / "runs" / "paper_small"
    written = (runs / "table_4_1.md").read_text()
    assert written.count("| ours |") == 7  # six models of the paper, and the mean of three
    assert "| mean of calibrated scores | ours |" in written
    assert written.count("not run") == 2 * 5  # the vision-language models
    for run in ("convnext", "efficientnet", "mobilenet", "ensemble"):
        assert (runs / run / "model" / "model.json").exists()
    again = reproduce(project, str(data), "--scale", "small")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished already") == 7
    assert (runs / "table_4_1.md").read_text() == written
