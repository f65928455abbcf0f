"""The directory of a run: created complete, resumed only with its own configuration and data.

runs/<name>/config.yaml     resolved configuration
            run.json        versions, commit, devices, seed, settings, digests of data and weights
            local.json      commands and places on this machine; not to be shared
            seen_images.csv      digests of the images that it and earlier runs learnt from
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
from elbow_core.config import load_config
from elbow_core.dataset import PreparedData, SeenImages, open_fold
from elbow_core.files import sha256_of
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import chosen_settings, is_main, numeric_environment

MODEL = "model"
"""The folder of the released model in that of its run."""
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
        return self.path / MODEL


def create_run(
    config: TrainConfig,
    data: PreparedData,
    seen: SeenImages,
    origin: Mapping[str, Any] | None = None,
) -> RunDirectory:
    """Create the directory of a new run.

    Args:
        config: of the run.
        data: its images.
        seen: what its model will have learnt from.
        origin: of its initial weights: see `InitialWeights`.

    Raises:
        ConfigError: if ``config.run`` already exists and is not empty.
    """
    entry, files = seen.for_run()
    record = _describe(config, data) | entry | {"initial_weights": origin}
    runs.begin_run(config.run, config, record, files)
    return RunDirectory(config.run)


def open_data_of(run: RunDirectory, prepared: Path | None = None) -> PreparedData:
    """Return the data of a run; `elbow_core.runs.require_data` checks that they are unchanged.

    Args:
        run: the directory.
        prepared: the place of the data, if they were moved.

    Raises:
        UserError: if the directory is not a run, or its data are not there or cannot be read.
    """
    config = load_config(TrainConfig, run.config)
    place = runs.find_data(run.path, config.data.prepared, prepared)
    return open_fold(place, config.data.fold)


def recorded_origin(run: Path) -> Mapping[str, Any] | None:
    """Return the origin of a run's initial weights, as `create_run` recorded it."""
    return runs.read_record(run).get("initial_weights")


def check_resume(config: TrainConfig, data: PreparedData) -> dict[str, runs.Change]:
    """Check that an existing run can be resumed; return the fields that changed.

    Raises:
        ConfigError: if the run has another configuration, other data or other settings of JAX.
    """
    return runs.check_resume(config.run, config, _describe(config, data), _RULES)


def resume_run(config: TrainConfig, data: PreparedData) -> dict[str, runs.Change]:
    """Check that an existing run can be resumed and record it; return the fields that changed.

    Raises:
        ConfigError: as `check_resume` does.
    """
    return runs.resume_run(config.run, config, _describe(config, data), _RULES)


def _same_weights(name: str, change: runs.Change, recorded: Mapping[str, Any]) -> bool:
    """Return whether two values of `init`, or of one backbone's `init`, are the same weights."""
    if not all(isinstance(value, str) for value in change):
        return False
    before, after = (Path(value) for value in change)
    if before.resolve() == after.resolve():
        return True
    origin = recorded.get("initial_weights") or {}
    for backbone in name.split(".")[1:]:
        origin = origin.get(backbone) or {}
    digest = origin.get("sha256") or _digest_of_weights(before)
    return digest is not None and digest == _digest_of_weights(after)


def _digest_of_weights(path: Path) -> str | None:
    weights = RunDirectory(path).model / "weights.safetensors" if path.is_dir() else path
    return sha256_of(weights) if weights.is_file() else None


_RULES = runs.ResumeRules(
    # `init_architecture` names the weights of `init`, which are compared.
    harmless=runs.HARMLESS | {"tensorboard", "init_architecture"},
    raised=frozenset(("epochs",)),
    same={"init": _same_weights},
    reasons={"epochs": "a run can be lengthened and not shortened, so restore it"},
)


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
        settings=chosen_settings(),
        environment=numeric_environment(),
    )
