"""Studies of small radiographs for a PACS, whose headers name patients, and their results there."""

import io
from typing import Any

from pydicom import dcmread
from pydicom.uid import ComputedRadiographyImageStorage

from tests.support.dicom_files import dicom
from tests.support.dicom_folders import pixels
from tests.support.orthanc import Orthanc

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


def results(orthanc: Orthanc) -> dict[tuple[str, str], int]:
    """How often each radiograph has a result of each modality."""
    found: dict[tuple[str, str], int] = {}
    for one in orthanc.instances():
        made = dcmread(io.BytesIO(orthanc.file(one["ID"])))
        if made.Modality in ("CR", "DX"):
            continue
        if made.Modality == "SR":
            series = made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
            source = series[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        elif made.Modality == "PR":
            series = made.ReferencedSeriesSequence
            source = series[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
        else:
            source = made.SourceImageSequence[0].ReferencedSOPInstanceUID
        key = (str(source), str(made.Modality))
        found[key] = found.get(key, 0) + 1
    return found


def all_once(*images: str) -> dict[tuple[str, str], int]:
    return {(image, kind): 1 for image in images for kind in ("OT", "PR", "SR")}
