"""The schema of ``dicom`` in a data configuration."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydicom.config import IGNORE
from pydicom.uid import UID

from elbow_core.config import StrictModel

UNKNOWN = "unknown"

Attribute = Literal["age", "sex", "laterality", "manufacturer", "model", "year", "body_part"]


def _check_code(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write unknown for files without the tag")
    return text if text == UNKNOWN else " ".join(text.upper().split())


def _check_syntax(text: str) -> str:
    uid = UID(text, validation_mode=IGNORE)
    if not uid.is_valid or not uid.is_transfer_syntax:
        raise ValueError(f"{text!r} is not the UID of a transfer syntax, as 1.2.840.10008.1.2.1")
    return text


Code = Annotated[str, AfterValidator(_check_code)]
Syntax = Annotated[str, AfterValidator(_check_syntax)]


class DicomSelection(StrictModel):
    """Which DICOM files are used. A list names what is kept, ``unknown`` files without the tag."""

    modalities: Annotated[tuple[Code, ...], Field(min_length=1)] = (
        *("CR", "DX", "DR", "RG"),
        UNKNOWN,
    )
    """Modality (0008,0060): by default computed, digital and digitised radiographs."""
    body_parts: tuple[Code, ...] | None = None
    """Body Part Examined (0018,0015), such as ELBOW; null keeps all."""
    views: tuple[Literal["ap", "lateral", "oblique", "unknown"], ...] | None = None
    """The projection, of View Position (0018,5101) and View Code Sequence (0054,0220); null keeps
    all."""
    transfer_syntaxes: tuple[Syntax, ...] | None = None
    """UIDs of transfer syntaxes (0002,0010), as 1.2.840.10008.1.2.1; null keeps all."""
    image_types_left_out: tuple[Code, ...] = ("LOCALIZER", "SCOUT", "TOPOGRAM", "SCREEN SAVE")
    """A file that has one of these among the values of Image Type (0008,0008) is left out."""
    for_processing: bool = False
    """Keep files whose Presentation Intent Type (0008,0068) is FOR PROCESSING: raw, often
    inverted."""
    secondary_captures: bool = False
    """Keep secondary captures (by SOP class): screen shots, often with text, and scanned films."""
    burned_in: bool = True
    """Keep files whose Burned In Annotation (0028,0301) is YES. They are counted in any case."""


class DicomSettings(StrictModel):
    """What is read from the tags of DICOM files; other files are not concerned."""

    identity: bool | None = None
    """Patients and studies are those of the tags, whatever names or a table say; needs id_key. By
    default they are, if there is an id_key."""
    view: bool = True
    """The tags give the view, and the body part, of a file for which the source states none."""
    attributes: tuple[Attribute, ...] = (
        *("age", "sex", "laterality"),
        *("manufacturer", "model", "year"),
    )
    """Columns of the manifest for subgroups: age in completed years (90 stands for 90 and above),
    sex, laterality, manufacturer, model, year of the study, body_part."""
    select: DicomSelection = DicomSelection()
    """Which files are used."""
