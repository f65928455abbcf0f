"""Prepared images on disk, by position: ArrayRecord files of raw pixels and their index."""

import bisect
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader
from jaxtyping import UInt8

from elbow_core.dataset.archive_files import (
    INDEX,
    check_segment,
    open_segment,
    read_index,
    segment_length,
    segment_path,
    write_index,
    write_segment,
)
from elbow_core.errors import ArchiveError

__all__ = ["INDEX", "Archive", "ArchiveError", "open_archive", "write_archive"]


def write_archive(
    directory: Path | str,
    ids: Sequence[str],
    images: Iterable[UInt8[np.ndarray, "height width"]],
    settings: Mapping[str, Any],
    fingerprint: str = "",
) -> None:
    """Write images, 0 to 255, in the order of ``ids``; ``settings`` must name their ``size``.

    Raises `ArchiveError` where ids and images differ in number, an id stands twice, or an image has
    another size; the folder then holds no archive.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    length = segment_length(len(ids))
    remaining = iter(images)
    segments = []
    for number, first in enumerate(range(0, len(ids), length)):
        wanted = ids[first : first + length]
        # zip asks the ids first, so that no image is lost between two segments.
        pairs = zip(wanted, remaining, strict=False)
        path = segment_path(directory, number)
        segments.append(write_segment(path, settings["size"], pairs))
    if next(remaining, None) is not None:
        raise ArchiveError(f"{directory}: as many images as ids are needed")
    write_index(directory, ids, segments, settings, fingerprint)


class Archive:
    """Prepared images by position: a sequence that each process opens for itself.

    Pickling carries the place and the index, never an open file.
    """

    def __init__(self, directory: Path, index: Mapping[str, Any]) -> None:
        self._directory = directory
        # Where each segment begins, and where the last one ends.
        self._starts = list(
            itertools.accumulate((segment.count for segment in index["segments"]), initial=0)
        )
        self._readers: dict[int, ArrayRecordReader] = {}
        self._readers_process = -1
        self.ids: tuple[str, ...] = tuple(index["ids"])
        self.size: int = index["size"]
        """Pixels a side."""
        self.settings: dict[str, Any] = dict(index["settings"])
        """The preprocessing settings that made the pixels."""
        self.fingerprint: str = index["fingerprint"]
        """Stands for everything that the archive was made from."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: SupportsIndex) -> UInt8[np.ndarray, "size size"]:
        """Return one image; raises `IndexError` out of range, `ArchiveError` when damaged."""
        at = position.__index__()
        if not 0 <= at < len(self):
            raise IndexError(f"{self._directory}: no image {at} among {len(self)}")
        number = bisect.bisect_right(self._starts, at) - 1
        try:
            (record,) = self._open(number).read([at - self._starts[number]])
        except (RuntimeError, IndexError) as error:
            path = segment_path(self._directory, number)
            raise ArchiveError(f"{path}: is damaged; prepare it again") from error
        if len(record) != self.size**2:
            raise ArchiveError(
                f"{self._directory}: image {at} has {len(record)} bytes, "
                f"not {self.size} x {self.size}; prepare it again"
            )
        return np.frombuffer(record, np.uint8).reshape(self.size, self.size)

    def __getitems__(
        self, positions: Sequence[SupportsIndex]
    ) -> list[UInt8[np.ndarray, "size size"]]:
        """Return several images, in the order asked, which need not be sorted."""
        return [self[position] for position in positions]

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "size size"]]:
        return (self[position] for position in range(len(self)))

    def _open(self, number: int) -> ArrayRecordReader:
        # A reader that went through fork shares its file position and has lost its threads.
        if self._readers_process != os.getpid():
            self._readers = {}
            self._readers_process = os.getpid()
        if number not in self._readers:
            self._readers[number] = open_segment(segment_path(self._directory, number))
        return self._readers[number]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_readers": {}, "_readers_process": -1}

    def __repr__(self) -> str:
        # Grain writes this into its checkpoints and compares it on resuming.
        return f"Archive({self.fingerprint or self._directory.name}, {len(self)} images)"


def open_archive(directory: Path | str) -> Archive:
    """Open the archive in a prepared folder.

    Raises `ArchiveError`, saying what to do, where the index or a segment is missing, of another
    format, cut short, or not made together: each segment's length, its number of images and the
    digest of a few of them must be the index's.
    """
    directory = Path(directory)
    index = read_index(directory / INDEX)
    for number, segment in enumerate(index["segments"]):
        check_segment(segment_path(directory, number), segment)
    return Archive(directory, index)
