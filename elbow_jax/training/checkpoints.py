"""The state of a training run on disk: saved aside and renamed by Orbax, restored exactly."""

import contextlib
import dataclasses
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from elbow_core.errors import ConfigError, UserError
from elbow_jax.networks import shapes_by_path
from elbow_jax.runtime import devices as parallel
from elbow_jax.steps import TrainState

SCHEMA_VERSION = 2


class CheckpointError(UserError):
    """A checkpoint that cannot be written or read; the message names it."""


class Checkpoints:
    """The checkpoints of one run: the latest two, and the one of highest validation AUROC.

    Saving is asynchronous; the next save, `wait` and leaving the context raise what went wrong.
    A save that was killed leaves only a temporary directory, removed when the run is opened again.
    A damaged checkpoint is moved to ``damaged/`` beside the directory, and that is said on standard
    error.

    Args:
        directory: where they lie; created when missing.
        read_only: open for restoring alone, touching nothing.
    """

    def __init__(self, directory: Path, read_only: bool = False):
        self._directory = directory.resolve()
        if read_only:
            options = ocp.CheckpointManagerOptions(read_only=True, best_fn=_auroc)
        else:
            self._set_aside_unreadable_metrics()
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

        Raises:
            CheckpointError: if this save cannot begin or the one before it failed.
        """
        tree = _as_tree(state)
        record = {"schema_version": SCHEMA_VERSION, "sha256": _sha256(tree), "host": host}
        with self._failing_to("save", step):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(tree), host=ocp.args.JsonSave(record)
                ),
                metrics=None if auroc is None else {"auroc": auroc},
            )

    def wait(self) -> None:
        """Return when the save under way is on disk; raise `CheckpointError` if it failed."""
        with self._failing_to("save", "newest"):
            self._manager.wait_until_finished()

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Return the state and the host's part of a checkpoint.

        Args:
            step: one of the kept steps.
            like: a state of the same shapes, dtypes and shardings, such as the initial one.

        Raises:
            ConfigError: if the checkpoint does not fit `like` or is of another schema.
            CheckpointError: if it cannot be read, or is not to the bit what was saved.
        """
        path = self._directory / str(step)
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, _as_tree(like))
        with self._failing_to("read", step):
            have = shapes_by_path(self._manager.item_metadata(step)["state"].tree)
            record = self._manager.restore(
                step, args=ocp.args.Composite(host=ocp.args.JsonRestore())
            )["host"]
            version, saved, host = (record[key] for key in ("schema_version", "sha256", "host"))
        if version != SCHEMA_VERSION:
            age, do = ("a newer", "update") if version > SCHEMA_VERSION else ("an older", "go back")
            raise ConfigError(
                f"{path}: was written by {age} version of this project (schema {version}, this "
                f"one reads {SCHEMA_VERSION}); {do}, or give another `run:`"
            )
        want = shapes_by_path(target)
        for name in sorted(have.keys() | want.keys()):
            if have.get(name) != want.get(name):
                raise ConfigError(
                    f"{path}: is of another network: {name} is {have.get(name, 'missing')} there "
                    f"and {want.get(name, 'missing')} here"
                )
        with self._failing_to("read", step):
            restored = self._manager.restore(
                step, args=ocp.args.Composite(state=ocp.args.StandardRestore(target))
            )["state"]
        if _sha256(restored) != saved:
            raise CheckpointError(
                f"{path}: cannot be read (its bytes are not those that were saved)"
            )
        return TrainState(**restored), host

    def restore_latest(self, like: TrainState) -> tuple[int, TrainState, dict[str, Any]] | None:
        """Return step, state and host's part of the newest checkpoint, or None if there is none.

        Raises:
            ConfigError: as `restore` does.
            CheckpointError: if there are checkpoints and none of them can be read.
        """
        damaged = None
        while (step := self._manager.latest_step()) is not None:
            try:
                return step, *self.restore(step, like)
            except CheckpointError as error:
                damaged = error
                self._set_aside(step, str(error))
                self._manager.reload()
        if damaged is not None:
            raise CheckpointError(
                f"{damaged}; no other is left, so start again with another `run:`"
            )
        return None

    def _set_aside_unreadable_metrics(self) -> None:
        """Orbax reads the figures of every checkpoint on opening and fails at the first bad one."""
        for file in self._directory.glob("*/metrics/metrics"):
            step = file.parent.parent.name
            try:
                float(_auroc(json.loads(file.read_bytes())))
            except (ValueError, KeyError, TypeError) as error:
                if step.isdigit():
                    self._set_aside(int(step), f"{file}: cannot be read ({error})")

    def _set_aside(self, step: int, reason: str) -> None:
        aside = self._directory.parent / "damaged" / str(step)
        print(f"{reason}; it is now {aside}, and the one before it is used", file=sys.stderr)
        if parallel.is_main():
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            (self._directory / str(step)).rename(aside)
        parallel.wait_for_all("damaged checkpoint")

    @contextlib.contextmanager
    def _failing_to(self, do: str, step: int | str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # TensorStore and Orbax raise bare ones for a damaged file
            reason = (str(error) or type(error).__name__).splitlines()[0]
            done = "saved" if do == "save" else "read"
            left = "" if do == "read" else f"; the last good checkpoint is {self._last_good()}"
            raise CheckpointError(
                f"{self._directory / str(step)}: cannot be {done} ({reason}){left}"
            ) from error

    def _last_good(self) -> str:
        steps = [int(path.name) for path in self._directory.iterdir() if path.name.isdigit()]
        return f"step {max(steps)}" if steps else "none"


def _as_tree(state: TrainState) -> dict[str, Any]:
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


def _sha256(tree: Any) -> str:
    """Over names, types, shapes and bytes: a flipped bit in an array goes unseen by TensorStore."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {np.shape(leaf)}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _auroc(metrics: dict[str, float]) -> float:
    return metrics["auroc"]
