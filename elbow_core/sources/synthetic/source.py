"""The synthetic source: radiographs rendered by the project, read as one of the other sources."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.sources import elbow, folder, mura
from elbow_core.sources.elbow import ElbowSource
from elbow_core.sources.folder import FolderSource
from elbow_core.sources.mura import MuraSource
from elbow_core.sources.scan_result import ScanResult
from elbow_core.sources.synthetic.geometry import GEOMETRY, read_geometry
from elbow_core.sources.synthetic.trees import (
    RECORD,
    write_elbow_tree,
    write_folder_tree,
    write_mura_tree,
)


class SyntheticSource(StrictModel):
    """Synthetic radiographs, rendered into ``root`` if they do not exist."""

    kind: Literal["synthetic"] = "synthetic"
    patients: Annotated[int, Field(ge=2)]
    """Number of patients; each has one or more images."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The same seed gives the same images. It is part of the patients' ids: p0001 of another seed
    is someone else."""
    tree: Annotated[ElbowSource | MuraSource | FolderSource, Field(discriminator="kind")]
    """The layout in which they are written, and the reader."""


def scan(root: Path, config: SyntheticSource, workers: int) -> ScanResult:
    """Render the data set in ``workers`` processes if it does not exist, and read it.

    Raises `UserError` if ``root`` contains anything else.
    """
    workers = max(workers, 1)
    if isinstance(config.tree, ElbowSource):
        write_elbow_tree(root, config.patients, config.seed, workers)
        found = elbow.scan(root, config.tree)
    elif isinstance(config.tree, FolderSource):
        write_folder_tree(root, config.patients, config.seed, workers)
        found = folder.scan(root, config.tree)
    else:
        write_mura_tree(root, config.patients, config.seed, workers)
        found = mura.scan(root, config.tree)
    base = root / "MURA-v1.1" if isinstance(config.tree, MuraSource) else root
    prefix = "" if base == root else f"{base.name}/"
    geometry = {f"{prefix}{path}": shown for path, shown in read_geometry(base).items()}
    rows = [
        replace(
            row,
            source=config.kind,
            patient_id=f"seed {config.seed}: {row.patient_id}",
            study_id=f"seed {config.seed}: {row.study_id}",
        )
        for row in found.rows
    ]
    if isinstance(config.tree, FolderSource):  # The other trees state these by their names.
        rows = [
            replace(row, body_part=shown.part, view=shown.view, finding=shown.finding)
            if (shown := geometry.get(row.path))
            else row
            for row in rows
        ]
    return ScanResult(
        rows,
        [entry for entry in found.rejected if Path(entry.path).name not in (RECORD, GEOMETRY)],
        {path: shown.regions for path, shown in geometry.items()},
        found.without_patients,
    )
