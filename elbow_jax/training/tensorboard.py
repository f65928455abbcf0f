"""Curves for TensorBoard from the rows of `metrics.jsonl`, and a sheet of training images."""

import math
import re
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from elbow_core.errors import UserError
from elbow_jax.runtime import is_main

_VERSION = "brain.Event:2"  # of the format of event files
# TensorBoard asks for the part before the time; its own writers put the host's name at the end.
_NAME = "events.out.tfevents.{time}.elbow"
_NAME_WITH_HOST = re.compile(r"events\.out\.tfevents\.(\d+)\.(?!elbow$).+")


def require_tensorboard() -> None:
    """Raise `UserError` if tensorboardX cannot be imported."""
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise UserError(
            "tensorboard: true needs tensorboardX; pip install 'elbow-radiographs[tensorboard]'"
        ) from error


class Curves:
    """TensorBoard's event files; rows after the step resumed from are hidden.

    No host is named: event files of earlier versions, whose names end in the host's, are renamed.

    Args:
        directory: of the event files; created when missing.
        after: the step resumed from, 0 in a new run.
        enabled: whether to write at all. Of several processes only the main one writes.

    Raises:
        UserError: if tensorboardX is not installed.
        OSError: here and in the methods, if the disk is full.
    """

    def __init__(self, directory: Path, after: int, enabled: bool):
        self._file: Path | None = None
        if not enabled or not is_main():
            return
        require_tensorboard()
        directory.mkdir(parents=True, exist_ok=True)
        _rename_without_host(directory)
        self._file = directory / _NAME.format(time=int(time.time()))
        self._add(0, file_version=_VERSION)
        if after:
            from tensorboardX.proto import event_pb2

            messages: Any = event_pb2
            start = messages.SessionLog(status=messages.SessionLog.START)
            self._add(after + 1, file_version=_VERSION)
            self._add(after + 1, session_log=start)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add the metrics of one row of `metrics.jsonl`."""
        if self._file is None:
            return
        if "validation" in row:
            named = {
                f"{group}/{name}": value
                for group in ("validation", "validation_average")
                for name, value in row.get(group, {}).items()
            }
        else:
            named = {f"training/{name}": row[name] for name in ("loss", "learning_rate")}
        from tensorboardX.summary import scalar

        for name, value in named.items():
            self._add(row["step"], summary=scalar(name, value))

    def image(self, name: str, image: UInt8[np.ndarray, "height width"], step: int) -> None:
        """Add a grey image."""
        if self._file is not None:
            from tensorboardX.summary import image as summarise

            self._add(step, summary=summarise(name, image, dataformats="HW"))

    def _add(self, step: int, **content: Any) -> None:
        """Append one event: length, its checksum, content, its checksum.

        tensorboardX's own writer is not used: its thread dies of a full disk, and its queue then
        waits forever.
        """
        from tensorboardX.proto import event_pb2
        from tensorboardX.record_writer import masked_crc32c

        messages: Any = event_pb2
        event = messages.Event(step=step, wall_time=time.time(), **content).SerializeToString()
        length = struct.pack("<Q", len(event))
        checks = [struct.pack("<I", masked_crc32c(part)) for part in (length, event)]
        assert self._file is not None
        with self._file.open("ab") as file:
            file.write(length + checks[0] + event + checks[1])


def _rename_without_host(directory: Path) -> None:
    for file in sorted(directory.iterdir()):
        match = _NAME_WITH_HOST.fullmatch(file.name)
        if match is None or not file.is_file() or file.is_symlink():
            continue
        moment = int(match[1])
        while (renamed := directory / _NAME.format(time=moment)).exists():
            moment += 1
        file.rename(renamed)


def contact_sheet(
    images: UInt8[np.ndarray, "count height width 1"], max_images: int = 16
) -> UInt8[np.ndarray, "rows columns"]:
    """Arrange the first `max_images` images of a batch in a square grid, row by row."""
    shown = images[:max_images, ..., 0]
    side = math.ceil(math.sqrt(len(shown)))
    height, width = shown.shape[1:]
    sheet = np.zeros((side, side, height, width), np.uint8)
    sheet.reshape(-1, height, width)[: len(shown)] = shown
    return sheet.swapaxes(1, 2).reshape(side * height, side * width)
