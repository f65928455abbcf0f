"""Fine-tuning: the files of a run, resuming, and the errors of `finetune` and `predict`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from elbow_core.runs import lock_run
from tests.support.commands import error_of
from tests.support.paths import names_in
from tests.support.small_data import SPLITS, write_prepared
from tests.support.vlm_runs import WORKSPACE_EPOCHS, copy_run, edit_card, write_config
from vlm_torch import finetune, predict

STEPS = WORKSPACE_EPOCHS * SPLITS["train"] // 8


def rows_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_run_directory_holds_the_documented_files(workspace):
    names = {path.name for path in (workspace / "run").iterdir() if path.suffix != ".csv"}
    assert {"adapter", "checkpoints", "config.yaml", "metrics.jsonl", "run.json"} <= names
    assert names_in(workspace / "run/adapter") == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
        "seen_images.csv",
    ]
    record = json.loads((workspace / "run/run.json").read_text())
    assert record["versions"]["transformers"]
    assert record["lora_parameters"] > 0


def test_loss_falls_and_every_epoch_is_validated(workspace):
    rows = rows_of(workspace / "run")
    losses = [row["loss"] for row in rows if "loss" in row]
    validated = [row["step"] for row in rows if "validation" in row]
    assert validated == list(range(3, STEPS + 1, 3))
    assert losses[-1] < 0.2 * losses[0]


def test_adapter_is_that_of_the_lowest_validation_loss(workspace):
    validated = [row for row in rows_of(workspace / "run") if "validation" in row]
    best = min(validated, key=lambda row: row["validation"]["loss"])
    card = json.loads((workspace / "run/adapter/card.json").read_text())
    assert card["step"] == best["step"]
    assert card["validation_loss"] == pytest.approx(best["validation"]["loss"])


def test_resuming_a_finished_run_changes_nothing(workspace, capsys):
    before = (workspace / "run/adapter/card.json").stat().st_mtime_ns
    assert finetune.main(["--config", str(workspace / "finetune.yaml"), "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert (workspace / "run/adapter/card.json").stat().st_mtime_ns == before


def test_second_run_into_the_same_directory_is_refused(workspace, capsys):
    message = error_of(capsys, finetune, "--config", str(workspace / "finetune.yaml"))
    assert "already contains a run" in message


def test_resuming_with_a_changed_configuration_names_the_key(workspace, capsys):
    arguments = ["--config", str(workspace / "finetune.yaml"), "--resume", "--lora.alpha", "32"]
    assert "lora.alpha is 32" in error_of(capsys, finetune, *arguments)


def test_lengthening_is_refused_since_every_rate_would_change(workspace, capsys):
    arguments = ["--config", str(workspace / "finetune.yaml"), "--resume", "--epochs", "99"]
    message = error_of(capsys, finetune, *arguments)
    assert f"epochs is 99 and the run began with {WORKSPACE_EPOCHS}" in message
    assert "its learning rate falls to 0 over all epochs" in message


def test_change_that_cannot_alter_the_result_is_accepted(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    (tmp_path / "data").symlink_to(workspace / "data")
    changes = ["--data.workers", "1", "--log_every", "3", "--checkpoint_every", "null"]
    paths = ["--run", str(run), "--data.prepared", str(tmp_path / "data")]
    arguments = ["--config", str(workspace / "finetune.yaml"), "--resume"]
    assert finetune.main([*arguments, *changes, *paths]) == 0
    assert "finished already" in capsys.readouterr().out


def test_second_process_of_a_run_is_refused(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    shutil.rmtree(run / "adapter")
    config = ["--config", str(workspace / "finetune.yaml"), "--run", str(run), "--resume"]
    with lock_run(run):
        message = error_of(capsys, finetune, *config)
    assert "another process writes into this run" in message


def test_every_file_of_a_run_has_the_permissions_of_the_umask(workspace):
    files = [path for path in (workspace / "run").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {
        (workspace / "run/run.json").stat().st_mode & 0o777
    }


def test_adapter_of_another_release_is_refused(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    versions = json.loads((run / "adapter/card.json").read_text())["versions"]
    edit_card(run / "adapter", versions=versions | {"transformers": "5.5.0"})
    message = error_of(capsys, predict, "--run", str(run))
    assert "was trained under transformers 5.5.0" in message
    assert "pip install transformers==5.5.0" in message


def test_wrong_base_for_an_adapter_is_refused(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    (base,) = tmp_path.glob("copy/tiny_*")
    weights = load_file(base / "model.safetensors")
    name = next(name for name in weights if "q_proj" in name)
    weights[name] = weights[name] + 1
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    message = error_of(capsys, predict, "--run", str(run), "--base", str(base))
    assert "is not the base model of" in message
    assert str(base) in message


def test_damaged_adapter_is_refused(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    with (run / "adapter/adapter_model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    assert "adapter_model.safetensors" in error_of(capsys, predict, "--run", str(run))


def test_prediction_with_an_unfinished_run_is_refused(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    shutil.rmtree(run / "adapter")
    assert "holds no adapter" in error_of(capsys, predict, "--run", str(run))


def test_differently_prepared_data_is_refused(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    write_prepared(tmp_path / "other", size=48)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace(str(workspace / "data"), str(tmp_path / "other")))
    assert "the model needs" in error_of(capsys, predict, "--run", str(run))


@pytest.mark.parametrize(
    "workspace", ["medgemma", pytest.param("llava_rad", marks=pytest.mark.slow)], indirect=True
)
def test_killed_and_resumed_run_writes_the_bytes_of_an_unbroken_run(workspace, tmp_path):
    shutil.copytree(workspace / "data", tmp_path / "data")
    text = (workspace / "finetune.yaml").read_text().replace(str(workspace), str(tmp_path))
    config = tmp_path / "finetune.yaml"
    config.write_text(text)
    command = [sys.executable, "-m", "vlm_torch.finetune", "--config", str(config), "--resume"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        state = tmp_path / "run/checkpoints/checkpoint-8/trainer_state.json"
        while process.poll() is None and not state.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert state.exists() or any(tmp_path.glob("run/checkpoints/*")), (tmp_path / "log").read_text()
    assert not (tmp_path / "run/adapter").exists()
    partial = tmp_path / "run/checkpoints/checkpoint-9999"
    partial.mkdir()  # as a kill during saving leaves it
    assert finetune.main(["--config", str(config), "--resume"]) == 0
    assert not partial.exists()
    for name in ("metrics.jsonl", "adapter/adapter_model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (workspace / "run" / name).read_bytes()


def test_bfloat16_base_trains_in_float32_with_checkpointing(tmp_path):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", gradient_checkpointing=True)
    assert finetune.main(["--config", str(config), "--model.dtype", "bfloat16"]) == 0
    losses = [row["loss"] for row in rows_of(tmp_path / "run") if "loss" in row]
    assert losses[-1] < losses[0]
    adapter = load_file(tmp_path / "run/adapter/adapter_model.safetensors")
    assert {tensor.dtype for tensor in adapter.values()} == {torch.float32}
    assert predict.main(["--run", str(tmp_path / "run")]) == 0


def test_training_set_smaller_than_a_batch_is_refused(tmp_path, capsys):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", batch_size=32)
    message = error_of(capsys, finetune, "--config", str(config))
    assert "24 training images, copies included, do not fill a batch of 32" in message


def test_loss_that_is_not_finite_stops_the_run_and_leaves_no_adapter(tmp_path, capsys):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", log_every=1)
    arguments = ["--config", str(config), "--optimizer.learning_rate", "1e30"]
    message = error_of(capsys, finetune, *arguments)
    assert "is not finite; the last good checkpoint is none" in message
    assert not (tmp_path / "run/adapter").exists()
