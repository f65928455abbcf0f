"""The training loop: compilation, waiting for the device, early stopping, output."""

import logging
import re
import resource
from pathlib import Path

import jax
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from elbow_core.errors import ConfigError
from elbow_jax import train
from elbow_jax.training import loop
from elbow_jax.training.tensorboard import Curves, contact_sheet
from tests.support import tolerances
from tests.support.paths import names_in
from tests.support.small_data import write_prepared
from tests.support.training import STEPS_PER_EPOCH, rows_of, write_config

OPTIMIZER = {"momentum": 0.0, "weight_decay": 0.0, "warm_restarts": {"t_0": 1}}


@pytest.fixture
def folder(tmp_path) -> Path:
    write_prepared(tmp_path / "data")
    return tmp_path


def test_run_compiles_each_step_once_and_waits_only_at_log_steps(folder, caplog, monkeypatch):
    config = write_config(folder, epochs=2, log_every=3, checkpoint_every=None)
    waits = []
    fetch = jax.device_get
    monkeypatch.setattr(loop.jax, "device_get", lambda tree: waits.append(len(tree)) or fetch(tree))
    with caplog.at_level(logging.DEBUG, "jax"), jax.log_compiles(True):
        assert train.main(["--config", str(config)]) == 0
    compiled = re.findall(r"Compiling jit\((\w+)\) with", caplog.text)
    assert compiled.count("train_step") == 1
    assert compiled.count("eval_step") == 1
    losses = [size for size in waits if size == 3]
    assert losses == [3] * (2 * STEPS_PER_EPOCH // 3)


def test_early_stopping_counts_epochs_without_a_better_score():
    assert not loop.should_stop([], 2)
    assert not loop.should_stop([0.5, 0.6, 0.6], 2)
    assert loop.should_stop([0.5, 0.6, 0.6, 0.55], 2)
    assert not loop.should_stop([0.5, 0.6, 0.6, 0.7], 2)
    assert not loop.should_stop([0.9, 0.1, 0.1, 0.1], None)


def test_run_that_stops_early_releases_its_best_epoch(folder, capsys, monkeypatch):
    metrics = {"auroc": 0.5, "accuracy": 0.5, "loss": 0.7}
    monkeypatch.setattr(loop, "validate", lambda *_: {"validation": metrics})
    config = write_config(folder, epochs=9, early_stopping=2, log_every=100, checkpoint_every=None)
    assert train.main(["--config", str(config)]) == 0
    assert max(row["epoch"] for row in rows_of(folder / "run")) == 3
    assert (folder / "run/model/model.json").is_file()
    assert "no better validation AUROC in 2 epochs" in capsys.readouterr().err


def test_dry_run_prints_sizes_memory_and_time_and_writes_nothing(folder, capsys):
    before = sorted(folder.rglob("*"))
    config = write_config(folder, accumulate=2)
    assert train.main(["--config", str(config), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    for pattern in (
        r"mobilenetv3_large \(small\), [\d,]+ parameters",
        r"32 x 32 pixels: 24 for training, each with 1 augmented copies, 10 for validation",
        r"batch +8 images in 2 part",
        r"memory +[\d,]+ MiB of state on each device, [\d,]+ MiB more in a step",
        r"time +[\d.]+ s a step, 6 steps or [\d.]+ min an epoch",
    ):
        assert re.search(pattern, printed), pattern
    assert sorted(folder.rglob("*")) == sorted([*before, config])


def test_dry_run_and_resume_exclude_each_other(folder):
    with pytest.raises(ConfigError, match="give one of them"):
        train.main(["--config", str(write_config(folder)), "--dry-run", "--resume"])


def test_parts_that_cannot_share_a_batch_are_refused(folder):
    with pytest.raises(ConfigError, match="accumulate: 3 parts cannot share a batch of 8"):
        train.main(["--config", str(write_config(folder, accumulate=3))])
    assert not (folder / "run").exists()


def events(run: Path) -> list[Event]:
    """Records of the event files; each is length, checksum, content, checksum."""
    found = []
    for file in sorted((run / "tensorboard").iterdir()):
        content = file.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def test_tensorboard_shows_the_rows_of_the_log_and_a_sheet_of_images(folder):
    config = write_config(folder, epochs=1, tensorboard=True)
    assert train.main(["--config", str(config)]) == 0
    curves: dict[str, dict[int, float]] = {}
    images = []
    for event in events(folder / "run"):
        for value in event.summary.value:
            if value.HasField("image"):
                images.append((event.step, value.image.width, value.image.height))
            else:
                curves.setdefault(value.tag, {})[event.step] = value.simple_value
    rows = rows_of(folder / "run")
    losses = {row["step"]: pytest.approx(row["loss"]) for row in rows if "loss" in row}
    assert curves["training/loss"] == losses
    assert curves["training/learning_rate"].keys() == losses.keys()
    (validation,) = (row["validation"] for row in rows if "validation" in row)
    assert {name for name in curves if name.startswith("validation/")} == {
        f"validation/{name}" for name in validation
    }
    assert images == [(1, 3 * 32, 3 * 32)]  # eight images of a batch on a sheet of nine


def test_event_files_name_no_host(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    for name in ("events.out.tfevents.17.planted-host", "events.out.tfevents.17.elbow", "notes"):
        (tmp_path / name).write_text(name)
    Curves(tmp_path, 0, enabled=True).write({"step": 1, "loss": 1.0, "learning_rate": 0.1})
    renamed = tmp_path / "events.out.tfevents.18.elbow"
    assert renamed.read_text() == "events.out.tfevents.17.planted-host"
    kept = tmp_path / "events.out.tfevents.17.elbow"
    assert kept.read_text() == kept.name
    names = names_in(tmp_path)
    assert len(names) == 4
    assert "notes" in names
    assert not any("planted" in name for name in names)
    (written,) = set(names) - {renamed.name, kept.name, "notes"}
    assert b"planted" not in (tmp_path / written).read_bytes()


def test_contact_sheet_is_filled_row_by_row():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    assert contact_sheet(images).tolist() == [[0, 1, 2], [3, 4, 0], [0, 0, 0]]
    assert contact_sheet(images, max_images=4).tolist() == [[0, 1], [2, 3]]


@pytest.mark.slow
def test_bfloat16_learns_as_float32_does(folder):
    curves = {}
    for precision in ("float32", "bfloat16"):
        config = write_config(
            folder,
            run=str(folder / precision),
            epochs=5,
            log_every=STEPS_PER_EPOCH,
            precision=precision,
            optimizer=OPTIMIZER | {"learning_rate": 5e-3},
            model={"backbone": "convnext_tiny", "variant": "small", "cbam": False},
        )
        assert train.main(["--config", str(config)]) == 0
        curves[precision] = [row["loss"] for row in rows_of(folder / precision) if "loss" in row]
    np.testing.assert_allclose(curves["bfloat16"], curves["float32"], atol=tolerances.BFLOAT16_LOSS)
    assert curves["bfloat16"][-1] < curves["bfloat16"][0]


def test_curves_on_a_full_disk_are_an_error_and_do_not_wait(tmp_path):
    """Simulated by a limit on the size of files, so that every write fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write_rows() -> None:
        curves = Curves(tmp_path, 0, True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        for step in range(100):  # more than the queue of a writing thread holds
            curves.write({"step": step, "loss": 0.5, "learning_rate": 0.1})

    try:
        with pytest.raises(OSError, match="File too large"):
            write_rows()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
