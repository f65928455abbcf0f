import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import load_file

from elbow_core.config import dump_config, load_config
from elbow_core.dataset import NOTHING_SEEN, open_prepared, read_manifest, write_manifest
from elbow_jax import train
from elbow_jax.config import TrainConfig
from elbow_jax.scoring import images_seen_by, read_card, read_released, write_released
from elbow_jax.training import build_engine, create_run
from elbow_jax.training.checkpoints import Checkpoints
from tests.support.commands import error_of
from tests.support.paths import names_in
from tests.support.small_data import write_prepared
from tests.support.training import rows_of, write_config

EPOCHS = 3
ADDED_BY_WRITER = ("schema_version", "weights_sha256", "seen_images_sha256")


def test_run_directory_holds_the_documented_files(trained):
    assert names_in(trained / "run") == [
        "checkpoints",
        "config.yaml",
        "local.json",
        "metrics.jsonl",
        "model",
        "run.json",
        "seen_images.csv",
    ]
    assert names_in(trained / "run/model") == [
        "README.md",
        "model.json",
        "seen_images.csv",
        "weights.safetensors",
    ]


def test_record_holds_everything_needed_to_repeat_the_run(trained):
    record = json.loads((trained / "run/run.json").read_text())
    assert {"versions", "commit", "device", "seed", "data_fingerprint"} <= record.keys()
    assert record["versions"]["jax"]


def test_loss_falls_over_the_run(trained):
    losses = [row["loss"] for row in rows_of(trained / "run") if "loss" in row]
    assert np.mean(losses[-6:]) < 0.95 * np.mean(losses[:6])


def test_released_weights_are_the_best_epochs(trained):
    rows = [row for row in rows_of(trained / "run") if "validation" in row]
    best = max(row["validation"]["auroc"] for row in rows)
    card = read_released(trained / "run/model").card
    chosen = next(row for row in rows if row["step"] == card.step)
    assert chosen["validation"]["auroc"] == best
    assert card.validation == pytest.approx(chosen["validation"], rel=1e-6)
    assert card.thresholds["default"] == 0.5
    assert {"youden", "sensitivity_95", "specificity_95"} <= card.thresholds.keys()


def test_validation_set_is_scored_once_an_epoch_and_once_for_the_release(trained):
    assert json.loads((trained / "scored.json").read_text()) == ["validation"] * (EPOCHS + 1)


def test_resuming_a_finished_run_changes_nothing(trained, capsys):
    before = (trained / "run/model/weights.safetensors").stat().st_mtime_ns
    assert train.main(["--config", str(trained / "train.yaml"), "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert (trained / "run/model/weights.safetensors").stat().st_mtime_ns == before


def test_run_initialised_from_another_starts_with_its_weights(trained, tmp_path):
    write_prepared(tmp_path / "data", seed=1)
    path = write_config(tmp_path, init=str(trained / "run"))
    engine = build_engine(load_config(TrainConfig, path), open_prepared(tmp_path / "data"))
    initial = flatten_dict(jax.device_get(engine.state.variables), sep="/")
    released = load_file(trained / "run/model/weights.safetensors")
    assert initial.keys() == released.keys()
    for name in released:
        np.testing.assert_array_equal(initial[name], released[name])


def test_loss_that_is_not_finite_stops_the_run_and_names_the_images(trained, tmp_path, capsys):
    write_prepared(tmp_path / "data", seed=1)
    shutil.copytree(trained / "run", tmp_path / "huge")
    shutil.rmtree(tmp_path / "huge/model")
    released = read_released(trained / "run/model")
    card = {name: value for name, value in released.card if name not in ADDED_BY_WRITER}
    huge = jax.tree.map(lambda array: array * np.float32(1e30), released.variables)
    write_released(tmp_path / "huge/model", huge, NOTHING_SEEN, **card)
    config = write_config(tmp_path, init=str(tmp_path / "huge"))
    message = error_of(capsys, train, "--config", str(config))
    assert "step 1: loss" in message
    assert "the last good checkpoint is none" in message
    assert message.count("train_") == 8
    assert not (tmp_path / "run/model").exists()


def test_model_lists_the_images_that_it_learnt_from(trained):
    listed = images_seen_by(trained / "run/model", read_card(trained / "run/model"))
    assert listed is not None
    rows = read_manifest(trained / "data/manifest.csv")
    assert {image.image for image in listed.images} == {
        row.sha256 for row in rows if row.split != "test"
    }
    assert listed.complete


def test_weights_that_are_not_finite_are_not_released(trained, tmp_path, capsys, monkeypatch):
    shutil.copytree(trained / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/model")
    config = load_config(TrainConfig, trained / "train.yaml", [f"--run={tmp_path / 'run'}"])
    (tmp_path / "train.yaml").write_text(dump_config(config))
    restore = Checkpoints.restore

    def restore_damaged(self, step, template):
        state, host = restore(self, step, template)
        return replace(state, params=jax.tree.map(lambda x: x * np.nan, state.params)), host

    monkeypatch.setattr(Checkpoints, "restore", restore_damaged)
    message = error_of(capsys, train, "--config", str(tmp_path / "train.yaml"), "--resume")
    assert "the network gives nan and no score" in message
    assert not (tmp_path / "run/model").exists()


def test_second_run_into_the_same_directory_is_refused(trained, capsys):
    message = error_of(capsys, train, "--config", str(trained / "train.yaml"))
    assert "already contains a run" in message
    assert "--resume" in message


def test_directory_that_is_not_a_run_is_refused(trained, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("text")
    config = write_config(tmp_path, data={"prepared": str(trained / "data")})
    assert "is not a run" in error_of(capsys, train, "--config", str(config))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_resuming_with_a_changed_configuration_names_the_key(trained, capsys):
    arguments = ["--config", str(trained / "train.yaml"), "--resume"]
    message = error_of(capsys, train, *arguments, "--optimizer.momentum", "0.7")
    assert "optimizer.momentum is 0.7 and the run began with 0.8" in message


def test_resuming_with_newly_prepared_data_is_refused(trained, tmp_path, capsys):
    write_prepared(tmp_path / "data")
    path = write_config(tmp_path)
    create_run(load_config(TrainConfig, path), open_prepared(tmp_path / "data"), NOTHING_SEEN)
    for name in ("manifest.csv", "images-00000.array_record", "index.json"):
        (tmp_path / "data" / name).unlink()
    write_prepared(tmp_path / "data", seed=5)
    assert "prepared again" in error_of(capsys, train, "--config", str(path), "--resume")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epohcs": 3}, "epohcs"),
        ({"epochs": "three"}, "epochs"),
        ({"optimizer": {"learning_rate": 0.1, "momentum": 2.0}}, "optimizer.momentum"),
        ({"data": {"prepared": "nowhere"}}, "nowhere"),
        ({"batch_size": 500}, "do not fill a batch of 500"),
        ({"init": "nowhere"}, "nowhere: neither a file nor one of the tags"),
        ({"init": "."}, "init: . is not a run"),
        ({"init": {"convnext_tiny": "a"}}, "init: several runs start the fusion network"),
        ({"model": {"backbone": "resnet"}}, "model.backbone"),
        (
            {
                "optimizer": {
                    "learning_rate": {"neck": 0.1},
                    "momentum": 0.5,
                    "warm_restarts": {"t_0": 1},
                }
            },
            "has rates for ['neck']",
        ),
    ],
)
def test_wrong_configuration_is_named_and_nothing_is_written(
    trained, tmp_path, capsys, changes, message
):
    (tmp_path / "data").symlink_to(trained / "data")
    config = write_config(tmp_path, **changes)
    assert message in error_of(capsys, train, "--config", str(config))
    assert names_in(tmp_path) == ["data", "train.yaml"]


def test_starting_from_another_network_is_refused(trained, tmp_path, capsys):
    write_prepared(tmp_path / "data", seed=1)
    model = {"backbone": "mobilenetv3_large", "variant": "small", "cbam": False}
    config = write_config(tmp_path, init=str(trained / "run"), model=model)
    assert "is of another network" in error_of(capsys, train, "--config", str(config))


def test_starting_from_an_unfinished_run_is_refused(trained, tmp_path, capsys):
    write_prepared(tmp_path / "data", seed=1)
    (tmp_path / "started").mkdir()
    for name in ("config.yaml", "run.json"):
        (tmp_path / "started" / name).write_bytes((trained / "run" / name).read_bytes())
    config = write_config(tmp_path, init=str(tmp_path / "started"))
    assert "is not finished" in error_of(capsys, train, "--config", str(config))


def test_pretraining_on_an_image_of_the_test_set_is_refused(trained, tmp_path, capsys):
    write_prepared(tmp_path / "data", seed=1)
    trained_on = read_manifest(trained / "data/manifest.csv")[0]
    rows = read_manifest(tmp_path / "data/manifest.csv")
    rows[-1] = replace(rows[-1], sha256=trained_on.sha256)
    write_manifest(tmp_path / "data/manifest.csv", rows)
    config = write_config(tmp_path, init=str(trained / "run"))
    message = error_of(capsys, train, "--config", str(config))
    assert "leak" in message
    assert rows[-1].image_id in message


def test_help_lists_every_field(capsys):
    assert train.main(["--help"]) == 0
    text = capsys.readouterr().out
    for field in ("--optimizer.warm_restarts.t_0", "--data.copies", "--model.backbone", "--init"):
        assert field in text


def test_command_exits_with_status_two_and_one_line(tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "elbow_jax.train", "--config", str(tmp_path / "absent.yaml")],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
        check=False,
    )
    assert process.returncode == 2
    assert process.stdout == ""
    assert len(process.stderr.splitlines()) == 1
    assert "absent.yaml" in process.stderr
