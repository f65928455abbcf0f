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

_FORMAT = 3
_KEYS = {"format", "size", "settings", "fingerprint", "key", "segments", "ids", "digests"}
# Format 2 said nothing about the key of hashed ids.
_FORMER_FORMAT, _FORMER_KEYS = 2, _KEYS - {"key", "digests"}
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
) -> None:
    """Write the index of an archive; ``settings`` must contain the ``size``.

    ``fingerprint`` identifies the inputs that the archive was made from. ``key`` is the fingerprint
    of the key of hashed ids, and ``digests`` are those of the files under that key; both are empty
    for plain ids. Raises `ArchiveError` if an id is repeated, or if ids, digests and images differ
    in number.
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
    }
    with atomic_file(directory / INDEX_FILE) as partial:
        partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def read_index(path: Path) -> dict[str, Any]:
    """Return a consistent index, its segments as `Segment`.

    An index of the former format is read too; its ``key`` is None if its ids are hashed, since it
    does not say under which key.

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
    known = {_FORMAT: _KEYS, _FORMER_FORMAT: _FORMER_KEYS}
    number = index.get("format") if isinstance(index, dict) else None
    if type(number) is not int or number not in known or set(index) != known[number]:
        raise ArchiveError(f"{path}: is not an index of format {_FORMAT}; prepare it again")
    try:
        segments = [Segment(**segment) for segment in index["segments"]]
        images = sum(segment.count for segment in segments)
        consistent = images == len(index["ids"]) and index["settings"].get("size") == index["size"]
        if number == _FORMER_FORMAT:
            hashed = all(_HASHED_ID.fullmatch(image_id) for image_id in index["ids"])
            index |= {"key": None if hashed else "", "digests": []}
        else:
            digests, key = index["digests"], index["key"]
            consistent &= len(digests) == (len(index["ids"]) if key else 0)
            consistent &= all(_DIGEST.fullmatch(text) for text in digests + [key] * bool(key))
            consistent &= isinstance(key, str)
    except (TypeError, AttributeError):
        consistent = False
    if not consistent:
        raise ArchiveError(f"{path}: is inconsistent; prepare it again")
    return index | {"segments": segments}
