"""The index of an archive: image size, settings, segments, and the ids in order."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from elbow_core.dataset.archive_segments import Segment
from elbow_core.errors import ArchiveError
from elbow_core.files import atomic_file, read_json
from elbow_core.identity import normalise_image_id

INDEX_FILE = "index.json"

_FORMAT = 4
_KEYS = {
    *("format", "size", "settings", "fingerprint", "key", "segments", "ids", "digests"),
    "ungrouped",
}
_KEYS_OF_FORMAT = {
    _FORMAT: _KEYS,
    3: _KEYS - {"ungrouped"},  # It did not say whose images are not known.
    2: _KEYS - {"ungrouped", "key", "digests"},  # nor anything about the key of hashed ids
}
_MAX_BYTES = 1 << 29

_HASHED_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_index(
    directory: Path,
    ids: Sequence[str],
    segments: Sequence[Segment],
    settings: Mapping[str, Any],
    fingerprint: str,
    key: str = "",
    digests: Sequence[str] = (),
    ungrouped: int = 0,
) -> None:
    """Write the index of an archive; ``settings`` must contain the ``size``.

    ``fingerprint`` identifies the inputs that the archive was made from. ``key`` is the fingerprint
    of the key of hashed ids, and ``digests`` are those of the files under that key; both are empty
    for plain ids. ``ungrouped`` is the number of images that count as patients of their own, since
    nothing says whose they are.

    Raises `ArchiveError` if an id is repeated, or if ids, digests and images differ in number.
    """
    if sum(segment.count for segment in segments) != len(ids):
        raise ArchiveError(f"{directory}: needs as many images as ids")
    if len(digests) != (len(ids) if key else 0):
        raise ArchiveError(f"{directory}: needs as many digests as ids")
    counts = Counter(map(normalise_image_id, ids))
    if repeated := [image_id for image_id in ids if counts[normalise_image_id(image_id)] > 1]:
        raise ArchiveError(f"{repeated[0]}: the id is repeated")
    index = {
        "format": _FORMAT,
        "size": settings["size"],
        "settings": dict(settings),
        "fingerprint": fingerprint,
        "key": key,
        "segments": [asdict(segment) for segment in segments],
        "ids": list(ids),
        "digests": list(digests),
        "ungrouped": ungrouped,
    }
    with atomic_file(directory / INDEX_FILE) as partial:
        partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def read_index(path: Path) -> dict[str, Any]:
    """Return a consistent index, its segments as `Segment`.

    Indices of former formats are read too. ``ungrouped`` is None where it is not known, and so is
    ``key`` in format 2 if its ids are hashed, since it does not say under which key.

    Raises `ArchiveError` if the file is missing, unreadable, of another format or inconsistent.
    """
    try:
        index = read_json(path, _MAX_BYTES)
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: is missing; run python -m elbow_core.prepare") from error
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(f"{path}: is not JSON; prepare it again") from error
    number = index.get("format") if isinstance(index, dict) else None
    if type(number) is not int or set(index) != _KEYS_OF_FORMAT.get(number):
        raise ArchiveError(f"{path}: is not an index of format {_FORMAT}; prepare it again")
    try:
        segments = [Segment(**segment) for segment in index["segments"]]
        images = sum(segment.count for segment in segments)
        consistent = images == len(index["ids"]) and index["settings"].get("size") == index["size"]
        if number == 2:
            hashed = all(_HASHED_ID.fullmatch(image_id) for image_id in index["ids"])
            index |= {"key": None if hashed else "", "digests": []}
        else:
            digests, key = index["digests"], index["key"]
            consistent &= len(digests) == (len(index["ids"]) if key else 0)
            consistent &= all(_DIGEST.fullmatch(text) for text in digests + [key] * bool(key))
            consistent &= isinstance(key, str)
        ungrouped = index.setdefault("ungrouped", None)
        if number == _FORMAT:
            consistent &= type(ungrouped) is int and 0 <= ungrouped <= len(index["ids"])
    except (TypeError, AttributeError):
        consistent = False
    if not consistent:
        raise ArchiveError(f"{path}: is inconsistent; prepare it again")
    return index | {"segments": segments}


def read_ungrouped(directory: Path) -> int | None:
    """Return how many images of a prepared folder count as patients of their own (`write_index`).

    None if the folder has no index, or that of an earlier version. Raises `ArchiveError`.
    """
    file = directory / INDEX_FILE
    return read_index(file)["ungrouped"] if file.is_file() else None
