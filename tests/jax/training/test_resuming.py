"""Resuming under changed settings, lengthening, the lock of a run, and what is checked first."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from elbow_core.config import load_config
from elbow_core.dataset import NOTHING_SEEN, open_prepared
from elbow_core.errors import ConfigError, UserError
from elbow_core.runs import lock_run
from elbow_jax import train
from elbow_jax.config import TrainConfig
from elbow_jax.training.run_directory import RunDirectory, check_resume, create_run
from tests.support.paths import names_in
from tests.support.shared_folder import made_once
from tests.support.small_data import write_prepared
from tests.support.training import start, write_config

RESULTS = ("metrics.jsonl", "model/weights.safetensors", "model/model.json")
ONE_EPOCH = {"epochs": 1, "checkpoint_every": None, "log_every": 3}


@pytest.fixture(scope="session")
def runs(request, tmp_path_factory) -> Path:
    """A folder with a run `pre`, and a run `long` of two epochs that starts from it; read-only."""
    return made_once(request, tmp_path_factory, "lengthened", _train)


def _train(folder: Path) -> None:
    write_prepared(folder / "data")
    pre = write_config(folder, run=str(folder / "pre"), **ONE_EPOCH)
    assert train.main(["--config", str(pre)]) == 0
    changes = ONE_EPOCH | {"epochs": 2, "init": str(folder / "pre")}
    long = write_config(folder, run=str(folder / "long"), **changes)
    assert train.main(["--config", str(long)]) == 0


def configure(runs: Path, folder: Path, **changes) -> Path:
    """Write the configuration of a run of one epoch in another folder, on the same data."""
    (folder / "data").symlink_to(runs / "data")
    return write_config(folder, **ONE_EPOCH | changes)


def bytes_of(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in RESULTS]


def test_run_lengthened_without_its_first_weights_equals_one_that_was_long_from_the_start(
    runs, tmp_path, capsys
):
    shutil.copytree(runs / "pre", tmp_path / "pre")
    config = configure(runs, tmp_path, init=str(tmp_path / "pre"))
    arguments = ["--config", str(config), "--resume"]
    assert train.main(arguments) == 0
    record = json.loads((tmp_path / "run/run.json").read_text())
    card = json.loads((runs / "pre/model/model.json").read_text())
    assert record["initial_weights"] == {
        "source": "pre",
        "step": card["step"],
        "sha256": card["weights_sha256"],
    }
    (tmp_path / "pre").rename(tmp_path / "archive")
    (tmp_path / "run").rename(tmp_path / "renamed")
    capsys.readouterr()
    changes = ["--epochs", "2", "--run", str(tmp_path / "renamed"), "--data.workers", "1"]
    assert train.main([*arguments, *changes, "--tensorboard", "true"]) == 0
    assert bytes_of(tmp_path / "renamed") == bytes_of(runs / "long")
    printed = capsys.readouterr().out
    assert "lengthened from 1 to 2 epochs; the learning rate goes on in its cycles" in printed
    assert f"{tmp_path / 'pre'}: no longer exists; the checkpoint takes its place" in printed
    assert "resumed with another run, data.workers, tensorboard" in printed
    assert (tmp_path / "renamed/model_1_epochs/model.json").is_file()
    (resumed,) = json.loads((tmp_path / "renamed/run.json").read_text())["resumed"]
    assert resumed["changed"]["epochs"] == [1, 2]
    assert resumed["changed"]["data.workers"] == [0, 1]
    assert load_config(TrainConfig, tmp_path / "renamed/config.yaml").epochs == 2
    assert train.main([*arguments, *changes, "--tensorboard", "true"]) == 0
    assert "finished already" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"prepared": "{folder}/../{name}/data", "copies": 1}},
        {"data": {"prepared": "{folder}/data", "copies": 1, "workers": 3}},
        {"log_every": 7},
        {"checkpoint_every": 5},
        {"tensorboard": True},
        {"run": "{folder}/../{name}/run"},
        {"init": "{folder}/../{name}/copy"},
        {"init": "{folder}/moved"},
    ],
)
def test_change_that_cannot_alter_the_result_is_accepted(runs, tmp_path, changes):
    for name in ("copy", "moved"):
        shutil.copytree(runs / "pre", tmp_path / name)
    path = configure(runs, tmp_path, init=str(tmp_path / "copy"))
    data = open_prepared(tmp_path / "data")
    origin = {"sha256": json.loads((runs / "pre/model/model.json").read_text())["weights_sha256"]}
    create_run(load_config(TrainConfig, path), data, NOTHING_SEEN, origin)
    text = json.dumps(changes).replace("{folder}", str(tmp_path)).replace("{name}", tmp_path.name)
    if "moved" in text:
        shutil.rmtree(tmp_path / "copy")
    values = ONE_EPOCH | {"init": str(tmp_path / "copy")} | json.loads(text)
    changed = load_config(TrainConfig, write_config(tmp_path, **values))
    assert len(check_resume(changed, data)) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed is 1 and the run began with 0"),
        ({"init": "{folder}/other"}, "init is .*other and the run began with"),
        ({"init": None}, "init is None"),
        ({"precision": "bfloat16"}, "precision is bfloat16"),
    ],
)
def test_change_that_alters_the_result_is_refused(runs, tmp_path, changes, message):
    path = configure(runs, tmp_path, init=str(runs / "pre"))
    data = open_prepared(tmp_path / "data")
    create_run(load_config(TrainConfig, path), data, NOTHING_SEEN, {"sha256": "0" * 64})
    shutil.copytree(runs / "long", tmp_path / "other")
    text = json.dumps(changes).replace("{folder}", str(tmp_path))
    changed = ONE_EPOCH | {"init": str(runs / "pre")} | json.loads(text)
    with pytest.raises(ConfigError, match=message):
        check_resume(load_config(TrainConfig, write_config(tmp_path, **changed)), data)


def test_second_trainer_of_a_run_is_refused_before_it_does_anything(runs, tmp_path):
    config = configure(runs, tmp_path)
    shutil.copytree(runs / "pre", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/model")
    before = sorted(tmp_path.rglob("*"))
    with (
        lock_run(tmp_path / "run"),
        pytest.raises(UserError, match="another process writes into this run"),
    ):
        train.main(["--config", str(config), "--resume"])
    assert sorted(tmp_path.rglob("*")) == before


def test_other_precision_of_products_is_named_on_resuming(runs, tmp_path):
    config = load_config(TrainConfig, configure(runs, tmp_path))
    data = open_prepared(tmp_path / "data")
    with jax.default_matmul_precision("highest"):
        create_run(config, data, NOTHING_SEEN)
        assert check_resume(config, data) == {}
    with pytest.raises(ConfigError, match=r"JAX_DEFAULT_MATMUL_PRECISION is unset and .*highest"):
        check_resume(config, data)


HOSTILE = {
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_ENABLE_X64": "1",
    "JAX_RANDOM_SEED_OFFSET": "5",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
}


def test_environment_changes_neither_a_run_nor_its_checkpoints(runs, tmp_path):
    config = configure(runs, tmp_path)
    process = start(config, **HOSTILE)  # pyright: ignore[reportArgumentType]
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    for name in HOSTILE:
        assert f"{name}={HOSTILE[name]} is not used" in errors
    assert bytes_of(tmp_path / "run") == bytes_of(runs / "pre")
    digests = [
        file.read_bytes()
        for run in (tmp_path / "run", runs / "pre")
        for file in run.glob("checkpoints/*/host/metadata")
    ]
    assert len(digests) == 2
    assert digests[0] == digests[1]


def test_missing_tensorboardx_is_found_before_a_run_is_made(runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    config = configure(runs, tmp_path, tensorboard=True)
    with pytest.raises(UserError, match="needs tensorboardX"):
        train.main(["--config", str(config)])
    assert names_in(tmp_path) == ["data", "train.yaml"]


def test_finished_run_without_checkpoints_cannot_be_lengthened(runs, tmp_path):
    config = configure(runs, tmp_path)
    shutil.copytree(runs / "pre", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoints")
    with pytest.raises(ConfigError, match="holds no checkpoint from which"):
        train.main(["--config", str(config), "--resume", "--epochs", "2"])
    assert RunDirectory(tmp_path / "run").model.is_dir()


def test_released_weights_have_the_permissions_of_the_card(runs):
    files = [path for path in (runs / "pre").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~_umask()}


def _umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


TINY_DISK = 'mount -t tmpfs -o size=3m tmpfs "$1" && shift && exec "$@"'
# The disk fills up while a checkpoint is written: its room was not known, as with a quota.
TRAIN = """
import sys
from elbow_core import cli
from elbow_jax import train
from elbow_jax.training.checkpoints import manager
manager.require_room = lambda *_: None
cli.run(train.main)
"""


def can_mount() -> bool:
    try:
        done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount a small disk")
def test_disk_that_fills_up_is_one_line_that_names_the_last_good_checkpoint(runs, tmp_path):
    config = configure(runs, tmp_path, epochs=4, run=str(tmp_path / "disk/run"))
    (tmp_path / "disk").mkdir()
    command = [sys.executable, "-c", TRAIN, "--config", str(config)]
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", TINY_DISK, "bash", str(tmp_path / "disk"), *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    progress = ("run: epoch", "run: compil")
    lines = [line for line in done.stderr.splitlines() if not line.startswith(progress)]
    assert len(lines) == 1, done.stderr
    pattern = r"error: .*: cannot be saved \(No space left on device\); .* good .* is step \d+"
    assert re.fullmatch(pattern, lines[0])
