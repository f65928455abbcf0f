"""A run on disk: made whole or not at all, gone on with only by the configuration it began with.

runs/<name>/config.yaml     resolved configuration
            run.json        versions, commit, devices, seed, fingerprint of the data
            metrics.jsonl   one row a log step and one an epoch
            tensorboard/    the same as curves, where it was asked for
            checkpoints/    training states
            model/          the released model; its presence says that the run is finished
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from elbow_core.config import dump_config, load_config
from elbow_core.errors import ConfigError
from elbow_core.prepared import PreparedData
from elbow_jax import parallel
from elbow_jax.config import TrainConfig

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """What is needed to repeat the run."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """The log of losses and validation figures."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Curves and a sheet of training images for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """Training states."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The released model."""
        return self.path / "model"


def create_run(config: TrainConfig, data: PreparedData) -> RunDirectory:
    """Make the directory of a new run.

    Raises:
        ConfigError: if ``config.run`` is there already.
    """
    run = RunDirectory(config.run)
    if run.config.exists():
        raise ConfigError(
            f"{run.path}: already holds a run; go on with it by --resume, or give another `run:`"
        )
    if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise ConfigError(f"{run.path}: is there already and is not a run; give another `run:`")
    making = run.path.with_name(f".{run.path.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    (making / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    record = json.dumps(_describe(config, data), indent=2) + "\n"
    (making / "run.json").write_text(record, encoding="utf-8")
    making.replace(run.path)
    return run


def resume_run(config: TrainConfig, data: PreparedData) -> RunDirectory:
    """Open the directory of a run to go on with it, or make it where there is none yet.

    Raises:
        ConfigError: if it was begun with another configuration or other data.
    """
    run = RunDirectory(config.run)
    if not run.config.exists():
        return create_run(config, data)
    began = load_config(TrainConfig, run.config).model_dump(mode="json")
    now = config.model_dump(mode="json")
    if difference := _first_difference(began, now):
        key, before, after = difference
        raise ConfigError(
            f"{run.path}: cannot resume, since {key} is {after} and the run began with {before}; "
            "restore it, or give another `run:`"
        )
    recorded = json.loads(run.record.read_text(encoding="utf-8"))["data_fingerprint"]
    if recorded != fingerprint(data.directory):
        raise ConfigError(
            f"{run.path}: cannot resume, since {data.directory} has been prepared anew since the "
            "run began; give another `run:`"
        )
    return run


def fingerprint(prepared: Path) -> str:
    """Return a SHA-256 over the manifest and the index of prepared data, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ("manifest.csv", "index.json"):
        digest.update((prepared / name).read_bytes())
    return digest.hexdigest()


class MetricsLog:
    """``metrics.jsonl``: appended row by row; rows after the step resumed from are dropped.

    Its rows hold nothing that depends on the clock, so that a resumed run writes the same bytes.
    Of several processes the main one alone writes.
    """

    def __init__(self, path: Path, after: int):
        self._path = path
        if not parallel.is_main():
            return
        kept: list[str] = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A killed run can leave its last line cut short.
            whole = [line for line in lines if line.endswith("\n")]
            kept = [line for line in whole if json.loads(line)["step"] <= after]
        aside = path.with_suffix(".jsonl.aside")
        aside.write_text("".join(kept), encoding="utf-8")
        aside.replace(path)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; it must hold ``step``."""
        if not parallel.is_main():
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _describe(config: TrainConfig, data: PreparedData) -> dict[str, Any]:
    device = jax.devices()[0]
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "device": {"kind": device.device_kind, "platform": device.platform},
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "seed": config.seed,
        "data": str(data.directory),
        "data_fingerprint": fingerprint(data.directory),
    }


def _commit() -> str | None:
    """Return the commit of the source, marked where files differ from it; None without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _first_difference(before: Any, after: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """Return the first dotted key at which two configurations differ, and both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            deeper = _first_difference(before.get(name), after.get(name), f"{key}.{name}")
            if deeper:
                return deeper
        return None
    return None if before == after else (key.removeprefix("."), before, after)
