"""Prepared images on disk: one ArrayRecord of raw pixels and the index that explains it."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from jaxtyping import UInt8

from elbow_core.atomic import replacing
from elbow_core.errors import ArchiveError

__all__ = ["Archive", "ArchiveError", "ArchiveWriter", "open_archive", "write_archive"]

RECORDS = "images.array_record"
INDEX = "index.json"

_FORMAT = 1
_KEYS = {"format", "size", "settings", "fingerprint", "count", "bytes", "sample", "ids"}
# One image a record, so that a random read touches one image. Sharpened pixels compress little for
# the time that it takes, at every reading too; docs/decisions.md has the figures.
_WRITER_OPTIONS = "group_size:1,uncompressed"
_READER_OPTIONS = "readahead_buffer_size:0,max_parallelism:0"
_SAMPLED = 16


class ArchiveWriter:
    """Appends images to an archive in a folder that exists; `finish` writes the index.

    Without `finish` the folder holds no archive that `open_archive` accepts.
    """

    def __init__(self, directory: Path | str, size: int) -> None:
        self._directory = Path(directory)
        self._size = size
        self._ids: list[str] = []
        self._seen: set[str] = set()
        self._writer = ArrayRecordWriter(str(self._directory / RECORDS), _WRITER_OPTIONS)

    def append(self, image_id: str, image: UInt8[np.ndarray, "height width"]) -> None:
        """Write one image; raises `ArchiveError` for another size or an id that it has."""
        if image.shape != (self._size, self._size):
            raise ArchiveError(f"{image_id}: is {image.shape}, the archive's side is {self._size}")
        if image_id in self._seen:
            raise ArchiveError(f"{image_id}: stands twice")
        self._seen.add(image_id)
        self._ids.append(image_id)
        try:
            self._writer.write(image.tobytes())
        except RuntimeError as error:
            raise ArchiveError(
                f"{self._directory / RECORDS}: cannot be written: {error}"
            ) from error

    def finish(self, settings: Mapping[str, Any], fingerprint: str = "") -> None:
        """Close the record and write the index.

        ``settings`` are the preprocessing settings; ``fingerprint`` stands for everything that the
        archive was made from.
        """
        records = self._directory / RECORDS
        try:
            self._writer.close()
        except RuntimeError as error:
            raise ArchiveError(f"{self._directory}: cannot be written: {error}") from error
        index = {
            "format": _FORMAT,
            "size": self._size,
            "settings": dict(settings),
            "fingerprint": fingerprint,
            "count": len(self._ids),
            "bytes": records.stat().st_size,
            "sample": _sample_digest(records, len(self._ids)),
            "ids": self._ids,
        }
        with replacing(self._directory / INDEX) as partial:
            partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")

    def close(self) -> None:
        """Close the record without an index, after an error, which it does not hide."""
        with suppress(RuntimeError):
            if self._writer.is_open():
                self._writer.close()


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
    Path(directory).mkdir(parents=True, exist_ok=True)
    writer = ArchiveWriter(directory, settings["size"])
    try:
        written = 0
        for written, image in enumerate(images, start=1):
            if written > len(ids):
                break
            writer.append(ids[written - 1], image)
        if written != len(ids):
            raise ArchiveError(f"{directory}: as many images as ids are needed")
        writer.finish(settings, fingerprint)
    finally:
        writer.close()


class Archive:
    """Prepared images by position: a sequence that each process opens for itself.

    Pickling carries the place and the index, never the open file.
    """

    def __init__(self, directory: Path, index: Mapping[str, Any]) -> None:
        self._records = directory / RECORDS
        self._reader: ArrayRecordReader | None = None
        self._reader_process = -1
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
        return self.__getitems__([position])[0]

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "size size"]]:
        return (self[position] for position in range(len(self)))

    def __getitems__(
        self, positions: Sequence[SupportsIndex]
    ) -> list[UInt8[np.ndarray, "size size"]]:
        """Return several images; raises `IndexError` out of range, `ArchiveError` when damaged."""
        wanted = [position.__index__() for position in positions]
        for position in wanted:
            if not 0 <= position < len(self):
                raise IndexError(f"{self._records}: no image {position} among {len(self)}")
        try:
            records = self._open().read(wanted)
        except (RuntimeError, IndexError) as error:
            raise ArchiveError(f"{self._records}: is damaged; prepare it again") from error
        return [self._decode(record, at) for record, at in zip(records, wanted, strict=True)]

    def _decode(self, record: bytes, position: int) -> UInt8[np.ndarray, "size size"]:
        if len(record) != self.size**2:
            raise ArchiveError(
                f"{self._records}: image {position} has {len(record)} bytes, "
                f"not {self.size} x {self.size}; prepare it again"
            )
        return np.frombuffer(record, np.uint8).reshape(self.size, self.size)

    def _open(self) -> ArrayRecordReader:
        # A reader that went through fork shares its file position and has lost its threads.
        if self._reader is None or self._reader_process != os.getpid():
            self._reader = _open_records(self._records)
            self._reader_process = os.getpid()
        return self._reader

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_reader": None, "_reader_process": -1}

    def __repr__(self) -> str:
        # Grain writes this into its checkpoints and compares it on resuming.
        return f"Archive({self.fingerprint or self._records.parent.name}, {len(self)} images)"


def open_archive(directory: Path | str) -> Archive:
    """Open the archive in a prepared folder.

    Raises `ArchiveError`, saying what to do, where the index or the record is missing, of another
    format, cut short, or not made together: the record's length, its count and the digest of up to
    16 of its images must be the index's.
    """
    directory = Path(directory)
    index = _read_index(directory / INDEX)
    records = directory / RECORDS
    if not records.is_file():
        raise ArchiveError(f"{records}: is missing; run python -m elbow_core.prepare")
    if records.stat().st_size != index["bytes"]:
        raise ArchiveError(
            f"{records}: has {records.stat().st_size} bytes where its index says {index['bytes']}: "
            "it is cut short or from another run; prepare it again"
        )
    if _sample_digest(records, index["count"]) != index["sample"]:
        raise ArchiveError(f"{records}: is not what its index describes; prepare it again")
    return Archive(directory, index)


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: is missing; run python -m elbow_core.prepare") from error
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(f"{path}: is not JSON; prepare it again") from error
    if not isinstance(index, dict) or index.get("format") != _FORMAT or set(index) != _KEYS:
        raise ArchiveError(f"{path}: is not an index of format {_FORMAT}; prepare it again")
    if index["count"] != len(index["ids"]) or index["settings"].get("size") != index["size"]:
        raise ArchiveError(f"{path}: contradicts itself; prepare it again")
    return index


def _open_records(path: Path) -> ArrayRecordReader:
    try:
        return ArrayRecordReader(str(path), _READER_OPTIONS, file_reader_buffer_size=32768)
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error


def _sample_digest(path: Path, count: int) -> str:
    """Digest some records, evenly spaced: reading all would take seconds on every start."""
    digest = hashlib.sha256(str(count).encode())
    positions = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED)).astype(int)).tolist()
    reader = _open_records(path)
    try:
        if reader.num_records() != count:
            return ""
        for record in reader.read(positions) if positions else []:
            digest.update(record)
        reader.close()  # Raises, too, where the file is damaged.
    except (RuntimeError, IndexError) as error:
        raise ArchiveError(f"{path}: is damaged; prepare it again") from error
    return digest.hexdigest()
