"""The directory of a run: created complete, resumed only with its own configuration and data.

runs/<name>/config.yaml     resolved configuration
            run.json        versions, commit, devices, seed, fingerprint of the data
            near_duplicates.csv  validation and test images that resemble images of an earlier run
            metrics.jsonl   one row a log step and one an epoch
            tensorboard/    the same as curves, with `tensorboard: true`
            checkpoints/    training states
            model/          the released model; it exists once the run is finished
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from elbow_core import runs
from elbow_core.dataset import PreparedData
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import is_main

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
        """Everything needed to repeat the run."""
        return self.path / "run.json"

    @property
    def near_duplicates(self) -> Path:
        """Validation and test images that are near-duplicates of images of an earlier run."""
        return self.path / "near_duplicates.csv"

    @property
    def metrics(self) -> Path:
        """The log of losses and validation metrics."""
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
    """Create the directory of a new run.

    Raises:
        ConfigError: if ``config.run`` already exists and is not empty.
    """
    runs.begin_run(config.run, config, _describe(config, data))
    return RunDirectory(config.run)


def resume_run(config: TrainConfig, data: PreparedData) -> RunDirectory:
    """Open the directory of a run to continue it, or create it if it does not exist.

    Raises:
        ConfigError: if the run has another configuration or other data.
    """
    runs.resume_run(config.run, config, _describe(config, data))
    return RunDirectory(config.run)


class MetricsLog(runs.MetricsLog):
    """``metrics.jsonl``; of several processes only the main one writes it."""

    def __init__(self, path: Path, after: int):
        if is_main():
            super().__init__(path, after)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; it must hold ``step``."""
        if is_main():
            super().write(row)


def _describe(config: TrainConfig, data: PreparedData) -> dict[str, Any]:
    device = jax.devices()[0]
    return runs.describe_run(
        _PACKAGES,
        data.directory,
        device={"kind": device.device_kind, "platform": device.platform},
        devices=jax.device_count(),
        processes=jax.process_count(),
        seed=config.seed,
    )
