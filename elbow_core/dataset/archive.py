"""The archive of prepared images: written in order, read by position."""

import bisect
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader
from jaxtyping import UInt8

from elbow_core.dataset.archive_index import INDEX_FILE, read_index, write_index
from elbow_core.dataset.archive_segments import (
    check_segment,
    open_segment,
    segment_length,
    segment_path,
    write_segment,
)
from elbow_core.errors import ArchiveError


def write_archive(
    directory: Path | str,
    ids: Sequence[str],
    images: Iterable[UInt8[np.ndarray, "height width"]],
    settings: Mapping[str, Any],
    fingerprint: str = "",
) -> None:
    """Write images, 0 to 255, in the order of ``ids``; ``settings`` must contain their ``size``.

    ``fingerprint`` identifies the inputs that the archive is made from.

    Raises `ArchiveError` if ids and images differ in number, an id is repeated, or an image has
    another size; the folder then contains no archive.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    length = segment_length(len(ids))
    remaining = iter(images)
    segments = []
    for number, first in enumerate(range(0, len(ids), length)):
        wanted = ids[first : first + length]
        # The ids come first: zip stops at them without taking an image of the next segment.
        pairs = zip(wanted, remaining, strict=False)
        path = segment_path(directory, number)
        segments.append(write_segment(path, settings["size"], pairs))
    if next(remaining, None) is not None:
        raise ArchiveError(f"{directory}: needs as many images as ids")
    write_index(directory, ids, segments, settings, fingerprint)


class Archive:
    """Prepared images by position: a sequence whose files each process opens for itself.

    A pickled archive contains the path and the index, never an open file.
    """

    def __init__(self, directory: Path, index: Mapping[str, Any]) -> None:
        self._directory = directory
        # The first position of each segment, and the number of images.
        self._starts = list(
            itertools.accumulate((segment.count for segment in index["segments"]), initial=0)
        )
        self._readers: dict[int, ArrayRecordReader] = {}
        self._readers_process = -1
        self.ids: tuple[str, ...] = tuple(index["ids"])
        self.size: int = index["size"]
        """Pixels a side."""
        self.settings: dict[str, Any] = dict(index["settings"])
        """The preprocessing settings of the images."""
        self.fingerprint: str = index["fingerprint"]
        """Identifies the inputs that the archive was made from."""
        self.key: str | None = index["key"]
        """Fingerprint of the key of hashed ids; empty for plain ids, None where it is unknown."""
        self.digests: tuple[str, ...] = tuple(index["digests"])
        """Of the images' files under that key, in the same order; none for plain ids."""
        self.ungrouped: int | None = index["ungrouped"]
        """Images that count as patients of their own, since nothing says whose they are; None where
        an earlier version prepared the data, and did not say."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: SupportsIndex) -> UInt8[np.ndarray, "size size"]:
        """Return one image; raises `IndexError` out of range, `ArchiveError` when damaged."""
        index = position.__index__()
        if not 0 <= index < len(self):
            raise IndexError(f"{self._directory}: no image {index} among {len(self)}")
        number = bisect.bisect_right(self._starts, index) - 1
        try:
            (record,) = self._open(number).read([index - self._starts[number]])
        except (RuntimeError, IndexError) as error:
            path = segment_path(self._directory, number)
            raise ArchiveError(f"{path}: is damaged; prepare it again") from error
        if len(record) != self.size**2:
            raise ArchiveError(
                f"{self._directory}: image {index} has {len(record)} bytes, "
                f"not {self.size} x {self.size}; prepare it again"
            )
        return np.frombuffer(record, np.uint8).reshape(self.size, self.size)

    def __getitems__(
        self, positions: Sequence[SupportsIndex]
    ) -> list[UInt8[np.ndarray, "size size"]]:
        """Return several images in the order of ``positions``, which need not be sorted."""
        return [self[position] for position in positions]

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "size size"]]:
        return (self[position] for position in range(len(self)))

    def _open(self, number: int) -> ArrayRecordReader:
        # After a fork, a reader shares its file position with the parent and has lost its threads.
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

    Raises `ArchiveError` if the index or a segment is missing, has another format or is cut short,
    or if a segment's length, number of images or digest of a few images differs from the index.
    """
    directory = Path(directory)
    index = read_index(directory / INDEX_FILE)
    for number, segment in enumerate(index["segments"]):
        check_segment(segment_path(directory, number), segment)
    return Archive(directory, index)
