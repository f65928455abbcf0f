"""The rules by which DICOM files are left out, each with a reason of its own."""

import re
from collections.abc import Sequence

from elbow_core.prepare.dicom_files.settings import UNKNOWN, DicomSelection
from elbow_core.radiographs import DicomTags

_SECONDARY_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"  # and the multi-frame classes below it
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")  # the form of a code string (PS3.5, section 6.2)


def reason_against(tags: DicomTags, select: DicomSelection) -> str:
    """Return why a file is left out, or an empty text. It names one tag, by the first rule."""
    captured = f"{tags.class_uid}.".startswith(f"{_SECONDARY_CAPTURES}.")
    if captured and not select.secondary_captures:
        return "is a secondary capture (dicom.select.secondary_captures)"
    if tags.presentation == "FOR PROCESSING" and not select.for_processing:
        return "is raw data, FOR PROCESSING (dicom.select.for_processing)"
    values = [" ".join(value.split()) for value in tags.image_type]
    if kinds := [kind for kind in select.image_types_left_out if kind in values]:
        return f"has the image type {kinds[0]} (dicom.select.image_types_left_out)"
    if int(tags.frames or 1) != 1:
        return "has several frames; one image is needed"
    if tags.burned_in == "YES" and not select.burned_in:
        return "has a burnt-in annotation (dicom.select.burned_in)"
    if reason := _unwanted("transfer syntax", tags.transfer_syntax, select.transfer_syntaxes):
        return f"{reason} (dicom.select.transfer_syntaxes)"
    if reason := _unwanted("modality", tags.modality, select.modalities):
        return f"{reason} (dicom.select.modalities)"
    if reason := _unwanted("body part", tags.body_part, select.body_parts):
        return f"{reason} (dicom.select.body_parts)"
    if reason := _unwanted("view", tags.view, select.views):
        return f"{reason} (dicom.select.views)"
    return ""


def _unwanted(name: str, value: str, wanted: Sequence[str] | None) -> str:
    if wanted is None or (value or UNKNOWN) in wanted:
        return ""
    if not value:
        return f"has no known {name}"
    # Anything may stand in a tag, and only what looks like a code is quoted.
    known = name in ("view", "transfer syntax") or _CODE.fullmatch(value)
    return f"has the {name} {value}" if known else f"has another {name}"
