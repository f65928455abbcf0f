"""Scan a data set of any kind."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from elbow_core.errors import UserError
from elbow_core.sources import elbow, folder, fracatlas, grazpedwri, mura
from elbow_core.sources.elbow import ElbowSource
from elbow_core.sources.folder import FolderSource
from elbow_core.sources.fracatlas import FracAtlasSource
from elbow_core.sources.grazpedwri import GrazPedWriSource
from elbow_core.sources.mura import MuraSource
from elbow_core.sources.scan_result import ScanResult
from elbow_core.sources.synthetic import source as synthetic
from elbow_core.sources.synthetic.source import SyntheticSource
from elbow_core.sources.table import source as table
from elbow_core.sources.table.config import TableSource

Source = Annotated[
    ElbowSource
    | MuraSource
    | FracAtlasSource
    | GrazPedWriSource
    | FolderSource
    | TableSource
    | SyntheticSource,
    Field(discriminator="kind"),
]


def scan(root: Path, source: Source, workers: int = 1) -> ScanResult:
    """Return the images of a data set below ``root``, sorted by path, and the rejected files.

    A synthetic data set is first rendered, in ``workers`` processes. Raises `UserError` that names
    the folder if it is missing, is not this kind of data set, or contains no image.
    """
    match source:
        case ElbowSource():
            found = elbow.scan(root, source)
        case MuraSource():
            found = mura.scan(root, source)
        case FracAtlasSource():
            found = fracatlas.scan(root, source)
        case GrazPedWriSource():
            found = grazpedwri.scan(root, source)
        case FolderSource():
            found = folder.scan(root, source)
        case TableSource():
            found = table.scan(root, source)
        case SyntheticSource():
            found = synthetic.scan(root, source, workers)
    if not found.rows:
        reasons = f"; {len(found.rejected)} files were rejected" if found.rejected else ""
        raise UserError(f"{root}: contains no image for source.kind {source.kind}{reasons}")
    return replace(
        found,
        rows=sorted(found.rows, key=lambda row: row.path),
        rejected=sorted(found.rejected, key=lambda entry: entry.path),
    )
