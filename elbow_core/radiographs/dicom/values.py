"""Read single values of a DICOM dataset strictly: as they plainly stand there, or not at all.

pydicom returns text where it finds no number, and interprets values of an unknown type by rules
that need the whole dataset. Here every value is read from its own bytes.
"""

import math
import re
import struct
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement

from elbow_core.radiographs.header import HeaderError
from elbow_core.tables import parse_number

_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_OPAQUE = ("UN", "OB", "OW")  # Explicit types that say nothing about the value.
_MAX_BINARY_BYTES = 2**10
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)


def describe_tag(keyword: str) -> str:
    """Return the keyword with its tag: "Rows (0028,0010)"."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def read_numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return the numbers of an element, in order; none if it is absent or empty.

    A decimal comma is read as a point. Raises `HeaderError`, which quotes tag and value, for text
    that is not one plain number: "1,024" can mean two, and "nan" or "1_000" are none.

    Reference: DICOM PS3.5, section 6.2 (DS, IS).
    """
    element = dataset.get_item(keyword)
    if element is None or element.value is None:
        return ()
    if not isinstance(element, RawDataElement):
        values: Any = element.value
        values = (
            values if isinstance(values, list | tuple) or hasattr(values, "append") else [values]
        )
        return tuple(_parse(str(value), keyword) for value in values if str(value).strip())
    kind = element.VR
    if kind is None or kind in _OPAQUE:
        kind = dictionary_VR(keyword)
    if kind in _BINARY:
        numbers = tuple(float(value) for value in unpack(element, _BINARY[kind], keyword))
        if not all(map(math.isfinite, numbers)):
            raise HeaderError(f"is a DICOM file whose {describe_tag(keyword)} is no finite number")
        return numbers
    text = bytes(element.value).decode("latin-1")
    fields = [field.strip(" \0\t\r\n") for field in text.split("\\")]
    return tuple(_parse(field, keyword) for field in fields) if any(fields) else ()


def read_number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first number of an element, or None if it is absent or empty."""
    numbers = read_numbers(dataset, keyword)
    return numbers[0] if numbers else None


def read_integer(dataset: Dataset, keyword: str) -> int:
    """Return the only number of an element, which must be there and whole."""
    numbers = list(read_numbers(dataset, keyword))
    if not numbers:
        raise HeaderError(f"is a DICOM file without {describe_tag(keyword)}")
    if len(numbers) > 1 or numbers[0] != int(numbers[0]):
        shown = ", ".join(f"{number:g}" for number in numbers[:4])
        raise HeaderError(f"is a DICOM file whose {describe_tag(keyword)} is {shown}")
    return int(numbers[0])


def unpack(element: RawDataElement, code: str, keyword: str) -> tuple[Any, ...]:
    """Return the values of a binary element; ``code`` is that of `struct` for one of them."""
    data = bytes(element.value or b"")
    size = struct.calcsize(code)
    if len(data) % size or len(data) > _MAX_BINARY_BYTES:
        raise HeaderError(f"is a DICOM file whose {describe_tag(keyword)} has {len(data)} bytes")
    order = "<" if element.is_little_endian else ">"
    return struct.unpack(f"{order}{len(data) // size}{code}", data)


def _parse(text: str, keyword: str) -> float:
    has_comma = text.count(",") == 1 and "." not in text and not _GROUPED.fullmatch(text)
    try:
        return parse_number(text.replace(",", ".") if has_comma else text)
    except ValueError as error:
        shown = "".join(character if " " <= character <= "~" else "?" for character in text[:20])
        raise HeaderError(
            f"is a DICOM file whose {describe_tag(keyword)} is {shown!r}, not one plain number"
        ) from error
