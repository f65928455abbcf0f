"""Texts of a DICOM dataset: decoded by its character set, cleaned, and split into values."""

import re
import unicodedata

from pydicom import Dataset
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.valuerep import TEXT_VR_DELIMS

from elbow_core.identity import normalise_image_id
from elbow_core.radiographs.dicom.values import describe_tag
from elbow_core.radiographs.header import HeaderError

_MAX_BYTES = 2**14
_AGE = re.compile(r"(\d{1,3})([DWMY])", re.ASCII)
_DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
_OLDEST = 130
_DATE = re.compile(r"(1[89]|20)\d\d(?=[.-]?(0[1-9]|1[0-2])[.-]?(0[1-9]|[12]\d|3[01])$)", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def read_encodings(dataset: Dataset) -> list[str]:
    """Return Python's names of the encodings of Specific Character Set (0008,0005).

    Those of a set that is unknown are ISO 646 alone (PS3.3 C.12.1.1.2).
    """
    names = [value.strip(b" \0") for value in _raw(dataset, "SpecificCharacterSet").split(b"\\")]
    try:
        return convert_encodings([name.decode("ascii") for name in names] if any(names) else None)
    except (LookupError, ValueError):
        return convert_encodings(None)


def read_texts(dataset: Dataset, keyword: str, encodings: list[str]) -> list[str]:
    """Return the values of an element that are not empty, in order; none if it is absent.

    Composed (NFC), without control and invisible characters, blanks at the ends and line ends. What
    the character set cannot decode is taken as Latin-1, in which different bytes stay different.

    Raises `HeaderError`, which names the tag alone, for more than 16 KiB.
    """
    value = _raw(dataset, keyword)
    if value.isascii() and b"\x1b" not in value:
        text = value.decode("ascii")
    else:
        text = _decode(value, encodings)
    cleaned = (_CONTROL.sub("", normalise_image_id(part)).strip() for part in text.split("\\"))
    return [part for part in cleaned if part]


def read_first_text(dataset: Dataset, keyword: str, encodings: list[str]) -> str:
    """Return the first value that is not empty, as `read_texts` does; empty if there is none."""
    return next(iter(read_texts(dataset, keyword, encodings)), "")


def whole_years(age: str) -> str:
    """Return an Age String (``034Y``, ``006M``, ``012W``, ``010D``) in completed years, as digits.

    Empty for any other text, a number without its unit among them, and above 130 years.
    """
    match = _AGE.fullmatch(age.upper())
    if match is None:
        return ""
    years = int(match[1]) * _DAYS[match[2]] / _DAYS["Y"]
    return str(int(years + 1e-9)) if years <= _OLDEST else ""


def year_of(date: str) -> str:
    """Return the year of a date, ``20210203`` or ``2021.02.03``; empty for anything else."""
    match = _DATE.match(date)
    return match[0] if match else ""


def _raw(dataset: Dataset, keyword: str) -> bytes:
    element = dataset.get_item(keyword)
    if not isinstance(element, RawDataElement):
        return b""
    value = bytes(element.value or b"")
    if len(value) != element.length:
        raise HeaderError(f"is cut short: its {describe_tag(keyword)} is not complete")
    if len(value) > _MAX_BYTES:
        raise HeaderError(f"is a DICOM file whose {describe_tag(keyword)} has {len(value)} bytes")
    return value


def _decode(value: bytes, encodings: list[str]) -> str:
    try:
        text = decode_bytes(value, encodings, set(TEXT_VR_DELIMS))
    except (LookupError, ValueError):
        text = "\ufffd"
    return value.decode("latin-1") if "\ufffd" in text else unicodedata.normalize("NFC", text)
