"""Reader of any data set with one folder per class."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from elbow_core.config import StrictModel
from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.files import reason_to_leave_out
from elbow_core.identity import normalise_image_id
from elbow_core.sources.listing import list_images, name_files
from elbow_core.sources.patterns import PatientPattern, match_patient
from elbow_core.sources.scan_result import Rejection, ScanResult


def _check_names(classes: dict[str, Literal[0, 1]]) -> dict[str, Literal[0, 1]]:
    if len({normalise_image_id(name) for name in classes}) < len(classes):
        raise ValueError(f"two of {', '.join(map(ascii, classes))} are one name")
    return classes


_WITHOUT_PATIENTS = (
    "if a patient has several images, set source.patient to a pattern that finds the patient in "
    "each path"
)


class FolderSource(StrictModel):
    """One sub-folder per class, with any folders inside it."""

    kind: Literal["folder"] = "folder"
    classes: Annotated[dict[str, Literal[0, 1]], Field(min_length=2), AfterValidator(_check_names)]
    """Label of each sub-folder: 0 normal, 1 injury."""
    patient: PatientPattern | None = None
    """Searched in the path, with groups ``patient`` and ``study``; without it each image is a
    patient of its own, which is correct only if no patient has two images."""
    body_part: str = ""
    """The body part in the manifest."""


def scan(root: Path, config: FolderSource) -> ScanResult:
    """Return a row per image file, labelled by the folder of its class.

    Raises `UserError` for a class whose folder is missing or empty, a folder that is not a class
    (but for those that systems write, which are rejected), and files that the patient pattern does
    not match.
    """
    if not root.is_dir():
        raise UserError(f"{root}: is not a folder")
    folders, rejected = _folders_of_classes(root, config)
    rows: list[ManifestRow] = []
    without_patient = []
    for name, label in sorted(config.classes.items()):
        folder = folders.get(name, name)
        paths, rejected_in_class = list_images(root, folder)
        if not paths:
            raise UserError(f"{root / folder}: contains no images")
        rejected += rejected_in_class
        for path in paths:
            ids = (path, path)
            if config.patient:
                ids = match_patient(config.patient, path, "source.patient")
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
    return ScanResult(rows, rejected, without_patients="" if config.patient else _WITHOUT_PATIENTS)


def _folders_of_classes(root: Path, config: FolderSource) -> tuple[dict[str, str], list[Rejection]]:
    """Return the name on disk of each class's folder, and all else in the root."""
    classes = {normalise_image_id(name): name for name in config.classes}
    folders: dict[str, str] = {}
    unknown = []
    rejected = []
    for path in sorted(root.iterdir()):
        name = classes.get(normalise_image_id(path.name))
        if not path.is_dir():
            rejected.append(Rejection(path.name, "is outside the folders of the classes"))
        elif name in folders:
            raise UserError(f"{root}: {path.name!a} and {folders[name]!a} are one name; rename one")
        elif name is not None:
            folders[name] = path.name
        elif reason := reason_to_leave_out(path.name, folder=True):
            rejected.append(Rejection(path.name, reason))
        else:
            unknown.append(path.name)
    if unknown:
        raise UserError(f"{root}: the folders {', '.join(unknown)} are not among the classes")
    return folders, rejected
