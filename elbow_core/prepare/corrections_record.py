"""The record of corrected labels in a prepared folder, ``corrections.json``."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elbow_core.dataset import ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.files import atomic_file, read_json
from elbow_core.identity import normalise_image_id
from elbow_core.prepare.corrections import VERDICTS, Corrections, Unsure

RECORD = "corrections.json"

_SCHEMA = 1
_MAX_BYTES = 1 << 26


def write_record(
    directory: Path, corrections: Corrections, unsure: Unsure, rows: Sequence[ManifestRow]
) -> None:
    """Write the digests, the counts and the changed labels; ``rows`` are those of the manifest."""
    ids = {normalise_image_id(row.image_id): row.image_id for row in rows}
    changed = [
        {"image_id": ids[key], "old_label": verdict.old_label, "new_label": verdict.new_label}
        for key, verdict in corrections.verdicts.items()
        if verdict.verdict == "change" and key in ids
    ]
    counts = Counter(verdict.verdict for verdict in corrections.verdicts.values())
    record = {
        "schema": _SCHEMA,
        "sha256": corrections.sha256,
        "predictions_sha256": list(corrections.predictions),
        "verdicts": {name: counts[name] for name in VERDICTS},
        "unsure": unsure,
        "changed": changed,
    }
    with atomic_file(directory / RECORD) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_record(directory: Path) -> dict[str, Any] | None:
    """Return the content of `RECORD`, None if a prepared folder has none.

    Raises `ManifestError` if it cannot be read or is not one of ours.
    """
    path = directory / RECORD
    try:
        record = read_json(path, _MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ManifestError(f"{path}: is not JSON; prepare the data again") from error
    match record:
        case {
            "schema": 1,
            "sha256": str(),
            "predictions_sha256": list(),
            "verdicts": {"agree": int(), "change": int(), "unsure": int()},
            "unsure": "keep" | "leave_out",
            "changed": [*changed],
        } if all(
            isinstance(entry, dict) and isinstance(entry.get("image_id"), str) for entry in changed
        ):
            return record
    raise ManifestError(f"{path}: is not a record of corrections; prepare the data again")


def corrected_images(directory: Path) -> frozenset[str] | None:
    """Return the ids of the images whose labels were changed, in the form for comparisons.

    None if the folder has no `RECORD`; raises as `read_record`.
    """
    record = read_record(directory)
    if record is None:
        return None
    return frozenset(normalise_image_id(entry["image_id"]) for entry in record["changed"])


def describe_record(record: Mapping[str, Any]) -> str:
    """Return one line of counts for the terminal."""
    verdicts = record["verdicts"]
    unsure = "left out" if record["unsure"] == "leave_out" else "kept"
    return (
        f"corrections: {verdicts['change']} labels changed, {verdicts['agree']} confirmed, "
        f"{verdicts['unsure']} unsure ({unsure})"
    )
