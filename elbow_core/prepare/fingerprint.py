"""The fingerprint of a prepared folder: whether it contains what would be prepared."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from elbow_core.dataset import INDEX_FILE, open_archive
from elbow_core.errors import ArchiveError, UserError
from elbow_core.prepare.config import DataConfig
from elbow_core.prepare.corrections import Corrections
from elbow_core.prepare.digest_pass import DigestedFile
from elbow_core.prepare.inputs import Inputs, hide_paths
from elbow_core.prepare.private_names import PrivateNames

_VERSION = 5  # Part of the fingerprint: raise it when the same settings give different bytes.


def fingerprint_of(
    config: DataConfig,
    inputs: Inputs,
    files: Sequence[DigestedFile],
    names: PrivateNames | None,
    corrections: Corrections | None,
) -> str:
    """Digest the inputs of the result: settings, each file's row and content, regions, corrections.

    A setting that is not used is no part of it.
    """
    # Of a table of labels counts what its rows say, and not where it lies.
    elsewhere = ("root", "out", "workers", "id_key", "private_paths", "corrections", "unsure")
    exclude = dict.fromkeys(elsewhere, True) | {"source": {"table"}}
    settings = config.model_dump(mode="json", exclude=exclude)
    rows = hide_paths(inputs.rows, names)
    contents = [[*astuple(row), file.sha256] for row, file in zip(rows, files, strict=True)]
    digested: list[Any] = [_VERSION, settings, contents]
    if inputs.regions:
        regions = inputs.regions
        hide = names.hide if names else str
        digested += sorted([hide(path), *map(astuple, regions[path])] for path in regions)
    if corrections:
        digested += [["corrections", corrections.sha256, config.unsure]]
    return hashlib.sha256(json.dumps(digested).encode()).hexdigest()


def refuse_foreign(out: Path) -> None:
    """Raise `UserError` if the output is neither missing, an empty folder nor a prepared one."""
    if out.exists() and any(out.iterdir()) and not (out / INDEX_FILE).is_file():
        raise UserError(f"{out}: exists and is not a prepared data set; choose another out")


def is_prepared(out: Path, fingerprint: str) -> bool:
    """Return whether the output is prepared already, from the inputs of this fingerprint.

    Raises `UserError` if it was prepared from others, or is damaged.
    """
    if not (out / INDEX_FILE).is_file():
        return False
    try:
        if open_archive(out).fingerprint == fingerprint:
            return True
    except ArchiveError as error:
        raise UserError(f"{error}: delete {out} first") from error
    raise UserError(
        f"{out}: was prepared with other settings or from other files, or by an earlier version; "
        "delete it or choose another out"
    )
