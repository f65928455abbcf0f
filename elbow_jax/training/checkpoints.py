"""Save and restore the state of a training run with Orbax."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from elbow_jax.networks import shapes_by_path
from elbow_jax.steps import TrainState
from elbow_jax.training.integrity import (
    CheckpointError,
    check_digest,
    check_schema,
    check_shapes,
    make_record,
    quarantine,
    state_tree,
)


class Checkpoints:
    """The checkpoints of one run: the latest two, and the one of highest validation AUROC.

    Saving is asynchronous; the next save, `wait` and the end of the context raise its errors. A
    killed save leaves only a temporary directory, removed by the next run. A damaged checkpoint is
    moved to ``damaged/`` beside the directory, and a line on standard error says so.

    Args:
        directory: of the checkpoints; created when missing.
        read_only: open for restoring only, and change nothing.
    """

    def __init__(self, directory: Path, read_only: bool = False):
        self._directory = directory.resolve()
        if read_only:
            options = ocp.CheckpointManagerOptions(read_only=True, best_fn=_auroc)
        else:
            self._quarantine_unreadable_metrics()
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
        """Start saving; return once the arrays are copied off the devices.

        Args:
            step: optimiser steps taken; names the checkpoint.
            state: the training state.
            host: state of the host (data iterator, pending losses), as JSON.
            auroc: of the validation set with these weights; None between epochs.

        Raises:
            CheckpointError: if this save cannot begin or the previous one failed.
        """
        tree = state_tree(state)
        record = make_record(tree, host)
        with self._naming_errors("saved", step):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(tree), host=ocp.args.JsonSave(record)
                ),
                metrics=None if auroc is None else {"auroc": auroc},
            )

    def wait(self) -> None:
        """Return when the current save is on disk; raise `CheckpointError` if it failed."""
        with self._naming_errors("saved", "newest"):
            self._manager.wait_until_finished()

    def restore(self, step: int, template: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Return the state and the host's part of a checkpoint.

        Args:
            step: of an existing checkpoint.
            template: a state of the same shapes, dtypes and shardings, such as the initial one.

        Raises:
            ConfigError: if the checkpoint is of another network or another schema.
            CheckpointError: if it cannot be read, or its arrays differ from those saved.
        """
        path = self._directory / str(step)
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, state_tree(template))
        with self._naming_errors("read", step):
            found = shapes_by_path(self._manager.item_metadata(step)["state"].tree)
            record = self._manager.restore(
                step, args=ocp.args.Composite(host=ocp.args.JsonRestore())
            )["host"]
            version, saved, host = (record[key] for key in ("schema_version", "sha256", "host"))
        check_schema(path, version)
        check_shapes(path, found, shapes_by_path(target))
        with self._naming_errors("read", step):
            restored = self._manager.restore(
                step, args=ocp.args.Composite(state=ocp.args.StandardRestore(target))
            )["state"]
        check_digest(path, restored, saved)
        return TrainState(**restored), host

    def restore_latest(self, template: TrainState) -> tuple[int, TrainState, dict[str, Any]] | None:
        """Return step, state and host's part of the newest checkpoint, or None if there is none.

        Raises:
            ConfigError: as `restore` does.
            CheckpointError: if there are checkpoints and none of them can be read.
        """
        damage = None
        while (step := self._manager.latest_step()) is not None:
            try:
                return step, *self.restore(step, template)
            except CheckpointError as error:
                damage = error
                quarantine(self._directory / str(step), str(error))
                self._manager.reload()
        if damage is not None:
            raise CheckpointError(
                f"{damage}; no other checkpoint is left, so start again with another `run:`"
            )
        return None

    def _quarantine_unreadable_metrics(self) -> None:
        """Orbax reads the metrics of every checkpoint on opening and fails at the first bad one."""
        for file in self._directory.glob("*/metrics/metrics"):
            checkpoint = file.parent.parent
            try:
                float(_auroc(json.loads(file.read_bytes())))
            except (ValueError, KeyError, TypeError) as error:
                if checkpoint.name.isdigit():
                    quarantine(checkpoint, f"{file}: cannot be read ({error})")

    @contextlib.contextmanager
    def _naming_errors(
        self, operation: Literal["saved", "read"], step: int | str
    ) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # TensorStore and Orbax raise bare ones for a damaged file
            reason = (str(error) or type(error).__name__).splitlines()[0]
            kept = f"; the last good checkpoint is {self._last_good()}"
            raise CheckpointError(
                f"{self._directory / str(step)}: cannot be {operation} ({reason})"
                f"{kept if operation == 'saved' else ''}"
            ) from error

    def _last_good(self) -> str:
        steps = [int(path.name) for path in self._directory.iterdir() if path.name.isdigit()]
        return f"step {max(steps)}" if steps else "none"


def _auroc(metrics: dict[str, float]) -> float:
    return metrics["auroc"]
