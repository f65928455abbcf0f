"""The records of a checkpoint that Orbax reads as soon as its directory is opened."""

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elbow_core.files import SMALL_FILE, read_regular

_TIMES = ("init_timestamp_nsecs", "commit_timestamp_nsecs")


def auroc_of(metrics: Mapping[str, float]) -> float:
    """Return the validation AUROC among the metrics of a checkpoint."""
    return metrics["auroc"]


def problem_of_records(checkpoint: Path) -> Exception | None:
    """Return what is wrong with the records of a checkpoint, None if Orbax can open it.

    An `OSError` names a file that cannot be read now, or a pipe, socket or device among the files,
    on which Orbax would wait for ever; a `ValueError` says that a record is damaged.
    """
    for name, check in (
        ("metrics/metrics", _check_metrics),
        ("_CHECKPOINT_METADATA", _check_times),
    ):
        file = checkpoint / name
        if not file.exists():
            continue  # A checkpoint between epochs has no metrics; Orbax does without times.
        try:
            check(json.loads(read_regular(file, SMALL_FILE)))
        except OSError as error:
            return error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            return ValueError(f"{file}: cannot be read ({reason.splitlines()[0]})")
    for path in checkpoint.rglob("*"):
        if path.exists() and not (path.is_file() or path.is_dir()):
            return OSError(errno.EINVAL, "is neither a file nor a folder", str(path))
    return None


def _check_metrics(value: Any) -> None:
    float(auroc_of(value))


def _check_times(value: Any) -> None:
    if not isinstance(value, dict):
        raise TypeError("is no object")
    for name in _TIMES:
        if not isinstance(value.get(name), int):
            raise TypeError(f"has no {name}")


_RECORDS = {"metrics/metrics": _check_metrics, "_CHECKPOINT_METADATA": _check_times}
