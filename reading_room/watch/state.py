"""What a watcher has done, on disk: a journal in a locked folder.

It holds no identity: an image and a series stand there as digests of their UIDs.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from elbow_core.errors import ConfigError, UserError
from elbow_core.files import (
    append_to_journal,
    cut_journal,
    locked_folder,
    read_journal,
    require_output_folder,
)

JOURNAL = "journal"
FORMAT = 1

SENT, REJECTED, OWN = "sent", "rejected", "own"
"""What became of an image: its results are at the server; it is no usable radiograph; it is one of
our own objects."""

_DIGITS = 32  # of a digest


@contextmanager
def opened_state(folder: Path, url: str) -> Iterator["State"]:
    """Open the state in a folder, which is created where it is missing, and lock it.

    Raises:
        UserError: if the folder cannot be written, or another watcher uses it.
        ConfigError: if it belongs to another server, or is no state of a watcher.
    """
    require_output_folder(folder, "--state")
    with locked_folder(folder, f"{folder}: another watcher uses it; give it another --state"):
        yield State(folder / JOURNAL, url)


class State:
    """The journal of a watcher. The caller holds the lock."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._images: dict[str, str] = {}
        self._moments: dict[str, datetime] = {}
        self._series: dict[str, int] = {}
        end, first = 0, True
        try:
            for (kind, name, value), line_end in read_journal(path, _entry):
                if first != (kind == "watch"):
                    break
                if first:
                    _require_server(path, name, value, url)
                self._take(kind, name, value)
                first, end = False, line_end
            if first and path.exists() and path.stat().st_size > _LONGEST_FIRST_LINE:
                raise ConfigError(f"{path}: is no journal of a watcher; move it away")
            cut_journal(path, end)
            if first:
                self._append("watch", url, FORMAT)
        except OSError as error:
            raise UserError(f"{path}: cannot be read or written: {error.strerror}") from error

    def outcome(self, instance_uid: str) -> str | None:
        """Return what became of an image, or None."""
        return self._images.get(_digest(instance_uid))

    def finish(self, instance_uid: str, outcome: str) -> None:
        """Note what became of an image; it is on the disk when this returns."""
        self._append("image", _digest(instance_uid), outcome)

    def moment(self, instance_uid: str) -> datetime:
        """Return when an image was first scored, so that its results have the same dates again."""
        name = _digest(instance_uid)
        if name not in self._moments:
            self._append("moment", name, datetime.now().replace(microsecond=0).isoformat())
        return self._moments[name]

    def is_finished(self, series_uid: str, instances: int | None) -> bool:
        """Return whether all images of a series are done, and no instance has come since."""
        return instances is not None and self._series.get(_digest(series_uid)) == instances

    def finish_series(self, series_uid: str, instances: int | None) -> None:
        """Note that all images of a series are done."""
        if instances is not None:
            self._append("series", _digest(series_uid), instances)

    def _append(self, kind: str, name: str, value: Any) -> None:
        try:
            append_to_journal(self._path, [kind, name, value], durable=True)
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._take(kind, name, value)

    def _take(self, kind: str, name: str, value: Any) -> None:
        if kind == "image":
            self._images[name] = value
        elif kind == "moment":
            self._moments[name] = datetime.fromisoformat(value)
        elif kind == "series":
            self._series[name] = value


_LONGEST_FIRST_LINE = 4096  # that a kill may have cut short


def _entry(line: Any) -> tuple[str, str, Any]:
    """Return the content of a line; raises `ValueError` or `TypeError` for one of another form."""
    kind, name, value = line
    expected = {"watch": int, "image": str, "moment": str, "series": int}.get(kind)
    if expected is None or not isinstance(name, str) or not isinstance(value, expected):
        raise ValueError("is no entry")
    if kind == "moment":
        datetime.fromisoformat(value)
    return kind, name, value


def _require_server(path: Path, url: str, version: int, wanted: str) -> None:
    if version > FORMAT:
        raise ConfigError(f"{path}: was written by a newer program; update this one")
    if url != wanted:
        raise ConfigError(f"{path}: belongs to the server {url}; give {wanted} another --state")


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:_DIGITS]
