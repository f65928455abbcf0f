"""Readers of data sets: each turns a folder into rows of the manifest."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.errors import UserError
from elbow_core.sources import elbow, folder, fracatlas, mura, synthetic
from elbow_core.sources.elbow import ElbowSource
from elbow_core.sources.folder import FolderSource
from elbow_core.sources.fracatlas import FracAtlasSource
from elbow_core.sources.listing import Rejection, ScanResult, printable
from elbow_core.sources.mura import MuraSource

__all__ = ["Rejection", "ScanResult", "Source", "SyntheticSource", "scan"]


class SyntheticSource(StrictModel):
    """Radiographs drawn by the project itself, written to ``root`` when they are not there."""

    kind: Literal["synthetic"] = "synthetic"
    patients: Annotated[int, Field(ge=2)]
    """How many; each has one or more images."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The same seed draws the same images."""
    tree: Annotated[ElbowSource | MuraSource, Field(discriminator="kind")]
    """Whose layout they are written in and read with."""


Source = Annotated[
    ElbowSource | MuraSource | FracAtlasSource | FolderSource | SyntheticSource,
    Field(discriminator="kind"),
]


def scan(root: Path, source: Source, workers: int = 1) -> ScanResult:
    """Return the images of a data set below ``root``, sorted by path, and the files not used.

    A synthetic data set is first written, in ``workers`` processes. Raises `UserError` that names
    the folder where it is missing, is not this data set, or holds no image.
    """
    match source:
        case ElbowSource():
            found = elbow.scan(root, source)
        case MuraSource():
            found = mura.scan(root, source)
        case FracAtlasSource():
            found = fracatlas.scan(root, source)
        case FolderSource():
            found = folder.scan(root, source)
        case SyntheticSource():
            found = _scan_synthetic(root, source, workers)
    if not found.rows:
        reasons = f"; {len(found.rejected)} files were passed over" if found.rejected else ""
        raise UserError(f"{root}: holds no image that {source.kind} can use{reasons}")
    return ScanResult(
        sorted(found.rows, key=lambda row: row.path),
        sorted(
            (replace(entry, path=printable(entry.path)) for entry in found.rejected),
            key=lambda entry: entry.path,
        ),
    )


def _scan_synthetic(root: Path, source: SyntheticSource, workers: int) -> ScanResult:
    write = synthetic.write_mura_tree
    if isinstance(source.tree, ElbowSource):
        write = synthetic.write_elbow_tree
    write(root, source.patients, source.seed, max(workers, 1))
    found = scan(root, source.tree)
    rows = [replace(row, source=source.kind) for row in found.rows]
    own = [entry for entry in found.rejected if Path(entry.path).name != synthetic.RECORD]
    return ScanResult(rows, own)
