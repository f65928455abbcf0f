"""The state of a training run on disk: saved aside and renamed by Orbax, restored exactly."""

import dataclasses
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from elbow_core.errors import ConfigError
from elbow_jax.networks import shapes_by_path
from elbow_jax.steps import TrainState


class Checkpoints:
    """The checkpoints of one run: the latest two, and the one of highest validation AUROC.

    Saving is asynchronous; the next save, `wait` and leaving the context raise what went wrong.
    A save that was killed leaves only a temporary directory, removed when the run is opened again.

    Args:
        directory: where they lie; created when missing.
        read_only: open for restoring alone, touching nothing.
    """

    def __init__(self, directory: Path, read_only: bool = False):
        self._directory = directory.resolve()
        if read_only:
            options = ocp.CheckpointManagerOptions(read_only=True, best_fn=_auroc)
        else:
            best = preservation_policy.BestN(
                get_metric_fn=_auroc, n=1, keep_checkpoints_without_metrics=False
            )
            options = ocp.CheckpointManagerOptions(
                best_fn=_auroc,
                preservation_policy=preservation_policy.AnyPreservationPolicy(
                    [preservation_policy.LatestN(2), best]
                ),
                cleanup_tmp_directories=True,
            )
        self._manager = ocp.CheckpointManager(
            self._directory,
            options=options,
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "host": ocp.JsonCheckpointHandler(),
            },
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._manager.close()

    def latest(self) -> int | None:
        """Return the step of the newest checkpoint, or None."""
        return self._manager.latest_step()

    def best(self) -> int | None:
        """Return the step of the checkpoint of highest validation AUROC, or None."""
        return self._manager.best_step()

    def save(self, step: int, state: TrainState, host: dict[str, Any], auroc: float | None) -> None:
        """Start saving; returns once the arrays are copied off the devices.

        Args:
            step: optimiser steps taken, the checkpoint's name.
            state: the training state.
            host: what the host needs to go on (the iterator's state, pending losses), as JSON.
            auroc: of the validation set with these weights; None between epochs.
        """
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(_as_tree(state)),
                host=ocp.args.JsonSave(host),
            ),
            metrics=None if auroc is None else {"auroc": auroc},
        )

    def wait(self) -> None:
        """Return when the save under way is on disk; raise if it failed."""
        self._manager.wait_until_finished()

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Return the state and the host's part of a checkpoint.

        Args:
            step: one of the kept steps.
            like: a state of the same shapes, dtypes and shardings, such as the initial one.

        Raises:
            ConfigError: if the checkpoint does not fit `like`.
        """
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, _as_tree(like))
        have = shapes_by_path(self._manager.item_metadata(step)["state"].tree)
        want = shapes_by_path(target)
        for path in sorted(have.keys() | want.keys()):
            if have.get(path) != want.get(path):
                raise ConfigError(
                    f"{self._directory / str(step)}: is of another network: {path} is "
                    f"{have.get(path, 'missing')} there and {want.get(path, 'missing')} here"
                )
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(target), host=ocp.args.JsonRestore()
            ),
        )
        return TrainState(**restored["state"]), dict(restored["host"])


def _as_tree(state: TrainState) -> dict[str, Any]:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def _auroc(metrics: dict[str, float]) -> float:
    return metrics["auroc"]
