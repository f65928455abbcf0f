"""What the results of a radiograph take from its header, cleaned of all that is not valid.

A hospital's headers have missing tags, dates with dots, names of the wrong length, character sets
that are no sets. A value that is not valid for its type is left out of the results, but for the
identity: a file whose results could end in another patient's record is refused.
"""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset, config, dcmread
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import TEXT_VR_DELIMS, validate_value

from elbow_core.errors import RadiographError
from reading_room.dicom.grey_levels import GREY_LEVELS, GreyLevels, each_value, read_grey_levels

RADIOGRAPHS = (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation)
"""SOP classes of radiographs as they are read."""
_MODALITIES = {
    ComputedRadiographyImageStorage: "CR",
    DigitalXRayImageStorageForPresentation: "DX",
    DigitalXRayImageStorageForProcessing: "DX",
    SecondaryCaptureImageStorage: "OT",
}

_IDENTITY = ("PatientID", "IssuerOfPatientID")
_TEXTS = (
    *("PatientName", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription"),
    "ReferringPhysicianName",
    *("BodyPartExamined", "ImageLaterality", "Laterality"),
)
_TYPE_2 = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
)
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_IMAGE = ("Rows", "Columns", "SamplesPerPixel", "BitsStored", "PixelRepresentation")
_OTHERS = (
    *("SpecificCharacterSet", "InstanceNumber", "PhotometricInterpretation", "BurnedInAnnotation"),
    *("PatientOrientation", "PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"),
    *("FrameOfReferenceUID", "Manufacturer", "ManufacturerModelName"),
)
_NAMES = ("PatientName", "ReferringPhysicianName")
_NAME_DELIMITERS = {ord("^"), ord("=")}  # behind which a character set begins anew
_SEXES = ("M", "F", "O")
_SIDES = ("L", "R", "B", "U")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DOTTED_DATE = re.compile(r"(\d{4})[.\-/](\d{2})[.\-/](\d{2})", re.ASCII)
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A radiograph as its results refer to it."""

    header: Dataset
    """Valid elements alone, texts decoded: identity, study, series, reference and size."""
    number: int
    """Instance Number, or 1."""
    aspect: tuple[int, int]
    """Height and width of a pixel, as Pixel Aspect Ratio has them."""
    levels: GreyLevels
    """From its pixels to what is shown."""

    @property
    def instance_uid(self) -> str:
        """SOP Instance UID (0008,0018)."""
        return str(self.header.SOPInstanceUID)

    @property
    def series_uid(self) -> str:
        """Series Instance UID (0020,000E)."""
        return str(self.header.SeriesInstanceUID)

    @property
    def side(self) -> str:
        """L or R; empty where the header does not say, or the body part has no side."""
        side = str(self.header.get("ImageLaterality", "") or self.header.get("Laterality", ""))
        return side if side in ("L", "R") else ""

    @property
    def inverted(self) -> bool:
        """Whether low values are bright: MONOCHROME1."""
        return self.header.PhotometricInterpretation == "MONOCHROME1"


def read_source(data: bytes, name: str) -> Source:
    """Return what results need of a DICOM file's bytes, which `decode_radiograph` accepts.

    Raises `RadiographError`, which starts with ``name`` and quotes no value, for a file that is not
    DICOM, without a UID that a reference needs, of a class that is no radiograph, or with a
    PatientID that no result could repeat.

    Reference: DICOM PS3.3 C.7.1 to C.7.3, C.11; PS3.5, section 6.2.
    """
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            return _read(data)
    except _RefusalError as refusal:
        raise RadiographError(f"{name}: {refusal}") from None
    except MemoryError:
        raise
    except Exception as error:  # Elements may contain anything; the text would quote them.
        raise RadiographError(
            f"{name}: its DICOM header cannot be read ({type(error).__name__})"
        ) from None


class _RefusalError(Exception):
    """Why no result can refer to a file."""


def _read(data: bytes) -> Source:
    if data[128:132] != b"DICM":
        raise _RefusalError("is not a DICOM file, so its results would belong to no study")
    names = (*_IDENTITY, *_TEXTS, *_UIDS, *_IMAGE, *_OTHERS, *GREY_LEVELS)
    tags: list[Any] = [tag_for_keyword(keyword) for keyword in names]
    file = dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=tags)
    header = Dataset()
    for keyword in _UIDS:
        setattr(header, keyword, _uid(file, keyword))
    modality = _MODALITIES.get(header.SOPClassUID)
    if modality is None:
        raise _RefusalError("is of a SOP class that is no radiograph (CR, DX, secondary capture)")
    header.Modality, header.SpecificCharacterSet = modality, "ISO_IR 192"
    encodings = _encodings(file)
    for keyword in (*_IDENTITY, *_TEXTS):
        text = _text(file, keyword, encodings)
        cleaned = _CLEANERS.get(keyword, lambda text: text)(text)
        if cleaned and _is_valid(keyword, cleaned):
            setattr(header, keyword, cleaned)
        elif text and keyword in _IDENTITY:
            raise _RefusalError(f"has a {keyword} that is not valid, so no result can repeat it")
        elif keyword in _TYPE_2:
            setattr(header, keyword, "")
    for keyword in _IMAGE:
        setattr(header, keyword, int(_value(file, keyword, 0)))
    header.PhotometricInterpretation = str(_value(file, "PhotometricInterpretation", ""))
    frame_of_reference = str(_value(file, "FrameOfReferenceUID", ""))
    if _is_uid(frame_of_reference):
        header.FrameOfReferenceUID = frame_of_reference
    for keyword in ("BurnedInAnnotation", "Manufacturer", "ManufacturerModelName"):
        if text := _text(file, keyword, encodings):
            setattr(header, keyword, text)
    _copy_orientation(file, header)
    return Source(header, _number(file), _aspect(file), read_grey_levels(file))


def _uid(file: Dataset, keyword: str) -> UID:
    text = str(_value(file, keyword, "")).strip(" \0")
    if not text and keyword.startswith("SOP"):
        text = str(file.file_meta.get(f"MediaStorage{keyword}", "")).strip(" \0")
    if not text:
        raise _RefusalError(f"has no {keyword}, so no result can refer to it")
    if not _is_uid(text):
        raise _RefusalError(f"has a {keyword} that is no UID, so no result can refer to it")
    return UID(text)


def _is_uid(text: str) -> bool:
    return len(text) <= 64 and UID(text).is_valid and _UID.fullmatch(text) is not None


def _encodings(file: Dataset) -> list[str]:
    names = _bytes(file, "SpecificCharacterSet").split(b"\\")
    try:
        texts = [name.strip(b" \0").decode("ascii") for name in names]
        return convert_encodings(texts if any(texts) else None)
    except (LookupError, ValueError):
        return convert_encodings(None)


def _text(file: Dataset, keyword: str, encodings: list[str]) -> str:
    """Return the first value of an element as text; bytes of no known character are Latin-1."""
    value = _bytes(file, keyword)
    try:
        delimiters = TEXT_VR_DELIMS | (_NAME_DELIMITERS if keyword in _NAMES else set())
        text = decode_bytes(value, encodings, delimiters)
    except (LookupError, ValueError):
        text = "\ufffd"
    if "\ufffd" in text:
        text = value.decode("latin-1")
    return text.split("\\")[0].strip(" \0")


def _bytes(file: Dataset, keyword: str) -> bytes:
    element = file.get_item(keyword)
    if isinstance(element, RawDataElement):
        return bytes(element.value or b"")
    if element is None or element.value is None:
        return b""
    value: Any = element.value  # pydicom converts the character set as it reads
    values = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    return "\\".join(map(str, values)).encode("ascii", "replace")


def _value(file: Dataset, keyword: str, default: Any) -> Any:
    value = file.get(keyword)
    return default if value is None or value == "" else value


def _is_valid(keyword: str, text: str) -> bool:
    if _CONTROL.search(text):
        return False
    kind = dictionary_VR(keyword)
    try:
        validate_value(kind, text, config.RAISE)
    except ValueError:
        return False
    if kind == "PN":
        groups = text.split("=")
        return len(groups) <= 3 and all(
            len(group) <= 64 and group.count("^") <= 4 for group in groups
        )
    return kind not in ("LO", "SH") or len(text) <= {"LO": 64, "SH": 16}[kind]


def _date(text: str) -> str:
    return _DOTTED_DATE.sub(r"\1\2\3", text)


def _one_of(values: Sequence[str]) -> Callable[[str], str]:
    return lambda text: text.upper() if text.upper() in values else ""


def _code(text: str) -> str:
    text = " ".join(text.upper().split())
    return text if _CODE.fullmatch(text) else ""


_CLEANERS: dict[str, Callable[[str], str]] = {
    "PatientBirthDate": _date,
    "StudyDate": _date,
    "StudyTime": lambda text: text.replace(":", ""),
    "PatientSex": _one_of(_SEXES),
    "ImageLaterality": _one_of(_SIDES),
    "Laterality": _one_of(("L", "R")),
    "BodyPartExamined": _code,
}


def _copy_orientation(file: Dataset, header: Dataset) -> None:
    values = [str(value) for value in each_value(_value(file, "PatientOrientation", []))]
    letters = re.compile("[ALRPHF]{1,3}")
    if len(values) == 2 and all(letters.fullmatch(value) for value in values):
        header.PatientOrientation = values


def _number(file: Dataset) -> int:
    try:
        number = int(_value(file, "InstanceNumber", 1))
    except (TypeError, ValueError):
        return 1
    return number if 1 <= number < 2**31 else 1


def _aspect(file: Dataset) -> tuple[int, int]:
    """Return height and width of a pixel in small whole numbers; 1 and 1 where nothing is said."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        try:
            height, width = (float(value) for value in each_value(_value(file, keyword, [])))
        except (TypeError, ValueError):
            continue
        if 0.1 <= height / width <= 10 if width > 0 else False:
            ratio = round(1000 * height / width)
            return (1, 1) if ratio == 1000 else (ratio, 1000)
    return (1, 1)
