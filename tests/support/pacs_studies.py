"""Studies of small radiographs for a PACS, whose headers name patients."""

from typing import Any

from pydicom.uid import ComputedRadiographyImageStorage

from tests.support.dicom_files import dicom
from tests.support.dicom_folders import pixels

ROOT_UID = "1.2.840.77777"
PATIENT = "Zorblatt"
"""Part of every patient's name; no log may hold it."""


def study_image(study: int, image: int = 0, **fields: Any) -> bytes:
    """Return an image of a study: a computed radiograph of an elbow."""
    tags: dict[str, Any] = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": image_uid(study, image),
        "StudyInstanceUID": f"{ROOT_UID}.1.{study}",
        "SeriesInstanceUID": f"{ROOT_UID}.2.{study}",
        "PatientName": f"{PATIENT}{study}^Quimby",
        "PatientID": f"MRN{study}",
        "StudyDate": "20260102",
        "StudyTime": "101112",
        "BodyPartExamined": "ELBOW",
        "InstanceNumber": str(image + 1),
    }
    return dicom(pixels(1000 * image + study), **(tags | fields))


def image_uid(study: int, image: int = 0) -> str:
    return f"{ROOT_UID}.3.{study}.{image}"
