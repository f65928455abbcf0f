"""Save and restore the state of a training run with Orbax."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from elbow_core.errors import UserError
from elbow_core.files import require_room
from elbow_jax.networks import shapes_by_path
from elbow_jax.runtime import is_main
from elbow_jax.steps import TrainState
from elbow_jax.training.checkpoints.integrity import (
    CheckpointError,
    DamagedCheckpointError,
    check_digest,
    check_schema,
    check_shapes,
    check_types,
    is_damage,
    make_record,
    quarantine,
    reason_of,
    state_tree,
)
from elbow_jax.training.checkpoints.quiet_orbax import quiet_orbax
from elbow_jax.training.checkpoints.records import auroc_of, problem_of_records


class Checkpoints:
    """The checkpoints of one run: the latest two, and the one of highest validation AUROC.

    Saving is asynchronous; the next save, `wait` and the end of the context raise its errors. A
    killed save leaves only a temporary directory, removed by the next run. A damaged checkpoint is
    moved to ``damaged/`` beside the directory, and a line on standard error says so; one that
    cannot be read for another reason stays where it is.

    Args:
        directory: of the checkpoints; created when missing.
        read_only: open for restoring only, and change nothing.
    """

    def __init__(self, directory: Path, read_only: bool = False):
        self._directory = directory.resolve()
        self._saving: int | None = None
        self._failed = False
        self._quiet = quiet_orbax()
        if read_only:
            options = ocp.CheckpointManagerOptions(read_only=True, best_fn=auroc_of)
        else:
            self._quarantine_unreadable_records()
            best = preservation_policy.BestN(
                get_metric_fn=auroc_of, n=1, keep_checkpoints_without_metrics=False
            )
            options = ocp.CheckpointManagerOptions(
                best_fn=auroc_of,
                preservation_policy=preservation_policy.AnyPreservationPolicy(
                    [preservation_policy.LatestN(2), best]
                ),
                cleanup_tmp_directories=True,
                # Where a folder cannot be created, threads would wait five minutes for it.
                async_options=ocp.AsyncOptions(create_directories_asynchronously=False),
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
        self._quiet.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._naming_errors("saved", self._saving):
                self._manager.close()
        except CheckpointError:
            if error is None:
                raise
            return
        if error is None and not self._failed:
            self._quiet.__exit__(None, None, None)

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
            CheckpointError: if the previous save failed, or this one cannot begin: for one, because
                the disk has less room than it needs.
        """
        self.wait()
        tree = state_tree(state)
        record = make_record(tree, host)
        self._saving = step
        with self._naming_errors("saved", step):
            if is_main():
                require_room(self._directory, self._next_size(state), f"checkpoint {step}")
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(tree), host=ocp.args.JsonSave(record)
                ),
                metrics=None if auroc is None else {"auroc": auroc},
            )

    def wait(self) -> None:
        """Return when the current save is on disk; raise `CheckpointError` if it failed."""
        with self._naming_errors("saved", self._saving):
            self._manager.wait_until_finished()

    def restore(self, step: int, template: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Return the state and the host's part of a checkpoint; what fails is read a second time.

        Args:
            step: of an existing checkpoint.
            template: a state of the same shapes, dtypes and shardings, such as the initial one.

        Raises:
            ConfigError: if the checkpoint is of another network or another schema, or was written
                under other settings of JAX.
            DamagedCheckpointError: if its content is not what was saved.
            CheckpointError: if it cannot be read for another reason.
        """
        try:
            return self._read(step, template)
        except CheckpointError:
            self._manager.reload()
            return self._read(step, template)

    def _read(self, step: int, template: TrainState) -> tuple[TrainState, dict[str, Any]]:
        path = self._directory / str(step)
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, state_tree(template))
        with self._naming_errors("read", step):
            found = self._manager.item_metadata(step)["state"].tree
            shapes = shapes_by_path(found)
            record = self._manager.restore(
                step, args=ocp.args.Composite(host=ocp.args.JsonRestore())
            )["host"]
            version, saved, host = (record[key] for key in ("schema_version", "sha256", "host"))
        check_schema(path, version)
        check_shapes(path, shapes, shapes_by_path(target))
        check_types(path, found, target)
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
            CheckpointError: if the newest cannot be read and is not damaged, or if there are
                checkpoints and all of them are damaged.
        """
        damage = None
        while (step := self._manager.latest_step()) is not None:
            try:
                return step, *self.restore(step, template)
            except DamagedCheckpointError as error:
                damage = error
                quarantine(self._directory / str(step), str(error))
                self._manager.reload()
        if damage is not None:
            raise CheckpointError(
                f"{damage}; no other checkpoint is left, so start again with another `run:`"
            )
        return None

    def _quarantine_unreadable_records(self) -> None:
        """Set aside what Orbax cannot open: it fails at the first bad record of any checkpoint."""
        for checkpoint in sorted(self._directory.glob("*")):
            if not checkpoint.name.isdigit():
                continue
            problem = problem_of_records(checkpoint) and problem_of_records(checkpoint)
            if isinstance(problem, OSError):
                raise CheckpointError(
                    f"{problem.filename}: cannot be read ({problem.strerror}); nothing was moved, "
                    "so continue with --resume once it can be read"
                )
            if problem is not None:
                quarantine(checkpoint, str(problem))

    @contextlib.contextmanager
    def _naming_errors(
        self, operation: Literal["saved", "read"], step: int | None
    ) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # TensorStore and Orbax raise bare ones for a damaged file
            self._failed = True
            path = self._directory / str("newest" if step is None else step)
            reason = reason_of(error)
            if operation == "saved":
                if isinstance(error, UserError):
                    reason = str(error).removeprefix(f"{self._directory}: ")
                raise CheckpointError(
                    f"{path}: cannot be saved ({reason}); the last good checkpoint is "
                    f"{self._last_good()}"
                ) from error
            if is_damage(path, error):
                raise DamagedCheckpointError(f"{path}: cannot be read ({reason})") from error
            raise CheckpointError(
                f"{path}: cannot be read ({reason}), at a second attempt too; nothing was moved, "
                "so continue with --resume once it can be read"
            ) from error

    def _next_size(self, state: TrainState) -> int:
        """Return the bytes that a checkpoint needs: at least those that the newest one takes."""
        latest = self.latest()
        files = () if latest is None else (self._directory / str(latest)).rglob("*")
        return max(size_of(state), sum(512 * file.lstat().st_blocks for file in files))

    def _last_good(self) -> str:
        steps = [int(path.name) for path in self._directory.iterdir() if path.name.isdigit()]
        return f"step {max(steps)}" if steps else "none"


def size_of(state: TrainState) -> int:
    """Return the bytes of a state's arrays: an upper bound of a checkpoint's, but for overhead."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def has_checkpoint(directory: Path) -> bool:
    """Return whether a directory holds a checkpoint, damaged or not."""
    return directory.is_dir() and any(path.name.isdigit() for path in directory.iterdir())
