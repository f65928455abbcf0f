"""Any data set that lies as one folder a class."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import UserError
from elbow_core.sources.listing import (
    PatientPattern,
    Rejection,
    ScanResult,
    list_images,
    match_patient,
    name_files,
)


class FolderSource(StrictModel):
    """One sub-folder a class; what lies deeper inside belongs to it."""

    kind: Literal["folder"] = "folder"
    classes: Annotated[dict[str, Literal[0, 1]], Field(min_length=2)]
    """Name of the sub-folder to label: 0 normal, 1 injury."""
    patient: PatientPattern | None = None
    """Searched in the path, with groups ``patient`` and ``study``; without it each image is a
    patient of its own, which is right only where no patient has two images."""
    body_part: str = ""
    """What the manifest calls the part."""


def scan(root: Path, config: FolderSource) -> ScanResult:
    """Return a row an image file, labelled by its class's folder.

    Raises `UserError` for a class's folder that is missing or empty, a folder that is no class, and
    files that the patient pattern does not match.
    """
    if not root.is_dir():
        raise UserError(f"{root}: is not a folder")
    found = {path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "."}
    if unknown := sorted(found - set(config.classes)):
        raise UserError(f"{root}: the folders {', '.join(unknown)} are not among the classes")
    rows: list[ManifestRow] = []
    rejected = [
        Rejection(path.name, "lies outside the classes' folders")
        for path in sorted(root.iterdir())
        if not path.is_dir()
    ]
    without_patient = []
    for name, label in sorted(config.classes.items()):
        paths, passed_over = list_images(root, name)
        if not paths:
            raise UserError(f"{root / name}: holds no images")
        rejected += passed_over
        for path in paths:
            ids = match_patient(config.patient, path) if config.patient else (path, path)
            if ids is None:
                without_patient.append(path)
                continue
            rows.append(
                ManifestRow(
                    image_id=path,
                    path=path,
                    label=label,
                    split="",
                    patient_id=ids[0],
                    study_id=ids[1],
                    view="",
                    body_part=config.body_part,
                    finding=name,
                    source=config.kind,
                )
            )
    if without_patient:
        raise UserError(f"{root}: the patient pattern does not match {name_files(without_patient)}")
    return ScanResult(rows, rejected)
