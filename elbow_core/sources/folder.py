"""Reader of any data set with one folder per class."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.sources.listing import list_images, name_files
from elbow_core.sources.patterns import PatientPattern, match_patient
from elbow_core.sources.scan_result import Rejection, ScanResult


class FolderSource(StrictModel):
    """One sub-folder per class, with any folders inside it."""

    kind: Literal["folder"] = "folder"
    classes: Annotated[dict[str, Literal[0, 1]], Field(min_length=2)]
    """Label of each sub-folder: 0 normal, 1 injury."""
    patient: PatientPattern | None = None
    """Searched in the path, with groups ``patient`` and ``study``; without it each image is a
    patient of its own, which is correct only if no patient has two images."""
    body_part: str = ""
    """The body part in the manifest."""


def scan(root: Path, config: FolderSource) -> ScanResult:
    """Return a row per image file, labelled by the folder of its class.

    Raises `UserError` for a class whose folder is missing or empty, a folder that is not a class,
    and files that the patient pattern does not match.
    """
    if not root.is_dir():
        raise UserError(f"{root}: is not a folder")
    found = {path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "."}
    if unknown := sorted(found - set(config.classes)):
        raise UserError(f"{root}: the folders {', '.join(unknown)} are not among the classes")
    rows: list[ManifestRow] = []
    rejected = [
        Rejection(path.name, "is outside the folders of the classes")
        for path in sorted(root.iterdir())
        if not path.is_dir()
    ]
    without_patient = []
    for name, label in sorted(config.classes.items()):
        paths, rejected_in_class = list_images(root, name)
        if not paths:
            raise UserError(f"{root / name}: contains no images")
        rejected += rejected_in_class
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
