"""The radiograph under its heat map as a secondary capture, with a caption burnt in."""

from typing import Any

import cv2
import highdicom
import numpy as np
from jaxtyping import UInt8
from pydicom import Dataset
from pydicom.sr.codedict import codes

from elbow_core.evaluation.heat_maps import overlay_heat, picture_size
from reading_room.dicom.source import Source
from reading_room.dicom.uids import ObjectUids
from reading_room.dicom.wording import (
    HEAT_MEANING,
    NOT_A_DEVICE,
    SHORT_NOT_A_DEVICE,
    gate_warning,
    headline,
)
from reading_room.inference import Finding

LONG_SIDE = 1024
"""Of the picture without its caption, in pixels, at most."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SMALLEST_WIDTH = 480  # on which the caption can be read

_PAIRED = (
    *("SHOULDER", "CLAVICLE", "SCAPULA", "HUMERUS", "ARM", "ELBOW", "FOREARM", "WRIST", "HAND"),
    *("FINGER", "THUMB", "HIP", "FEMUR", "THIGH", "KNEE", "LEG", "ANKLE", "FOOT", "TOE"),
)


def picture(finding: Finding) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return the radiograph under its heat map, red, green, blue, with a caption below it.

    The picture is as large as the radiograph, up to `LONG_SIDE`; small ones are enlarged so that
    the caption can be read.
    """
    grey = finding.grey
    height, width = grey.shape
    long_side = min(max(height, width), LONG_SIDE)
    rows, columns = picture_size(height, width, long_side)
    if columns < _SMALLEST_WIDTH:
        scale = min(_SMALLEST_WIDTH / columns, LONG_SIDE / max(rows, columns))
        rows, columns = round(rows * scale), round(columns * scale)
    shrinks = rows < height and columns < width
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(grey, (columns, rows), interpolation=kind)
    area = (0.0, 0.0, float(width), float(height))
    overlay = overlay_heat(resized, finding.heat, area, height, width)
    return np.concatenate([overlay[:, :, ::-1], _caption(finding, columns)])


def _caption(finding: Finding, columns: int) -> UInt8[np.ndarray, "rows columns 3"]:
    lines = [SHORT_NOT_A_DEVICE, headline(finding), gate_warning(finding)]
    lines = [line for line in [*lines, "heat map: no outline of an injury"] if line]
    widest = max(cv2.getTextSize(line, _FONT, 1.0, 1)[0][0] for line in lines)
    scale = min(0.95 * columns / widest, 1.0)
    step = max(round(36 * scale), 8)
    band = np.zeros((step * len(lines) + step // 2, columns, 3), np.uint8)
    for number, line in enumerate(lines, start=1):
        place = (round(columns * 0.02), number * step)
        cv2.putText(band, line, place, _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return band


def make_heat_map(source: Source, finding: Finding, uids: ObjectUids, **common: Any) -> Dataset:
    """Return the secondary capture; ``common`` are arguments of every object.

    Reference: DICOM PS3.3 A.8.1, C.7.6.1.1.2, C.8.6.
    """
    header = source.header
    made = highdicom.sc.SCImage.from_ref_dataset(
        ref_dataset=header,
        pixel_array=np.ascontiguousarray(picture(finding)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # replaced below: it may be unknown
        series_number=9102,
        series_description="Heat map (research)",
        sop_instance_uid=uids.heat_map,
        **common,
    )
    made.PatientOrientation = header.get("PatientOrientation", "")
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.ConversionType = "SYN"
    # Words that name a patient may be in the pixels of the radiograph, and no others are here.
    if "BurnedInAnnotation" in header and header.BurnedInAnnotation.upper() in ("YES", "NO"):
        made.BurnedInAnnotation = header.BurnedInAnnotation.upper()
    made.DerivationDescription = "Heat map over the radiograph, and a caption, burnt in"
    made.ImageComments = f"{NOT_A_DEVICE} {headline(finding)}. {HEAT_MEANING}"
    made.SourceImageSequence = [_reference(header)]
    if source.aspect != (1, 1):
        made.PixelAspectRatio = list(source.aspect)
    # Laterality, which is always there, may not stand beside an unpaired part.
    if header.get("BodyPartExamined") in _PAIRED:
        made.BodyPartExamined = header.BodyPartExamined
    return made


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    purpose = codes.DCM.SourceImageForImageProcessingOperation
    item.PurposeOfReferenceCodeSequence = [highdicom.sr.CodedConcept.from_code(purpose)]
    return item
