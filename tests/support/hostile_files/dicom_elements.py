"""DICOM files with elements, sequences, items and tables that ask for much."""

import struct
import zlib

import numpy as np
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tests.support.dicom_files import dicom, table
from tests.support.hostile_files.deflated import deflate

UNDEFINED_LENGTH = 0xFFFFFFFF


def deflated_dicom(added: bytes, zeros: int) -> bytes:
    """Return a deflated DICOM file whose data set is followed by bytes and mebibytes of zeros."""
    whole = dicom()
    start = _start_of_dataset(whole)
    meta = whole[:start].replace(
        _syntax_element(ExplicitVRLittleEndian), _syntax_element(DeflatedExplicitVRLittleEndian)
    )
    meta = meta[:140] + struct.pack("<I", len(meta) - 144) + meta[144:]
    return meta + deflate([whole[start:], added], zeros, -zlib.MAX_WBITS)


def _syntax_element(syntax: UID) -> bytes:
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\2\0\x10\0UI" + struct.pack("<H", len(value)) + value


def _start_of_dataset(data: bytes) -> int:
    return 144 + struct.unpack_from("<I", data, 140)[0]


def before_rows(elements: bytes) -> bytes:
    """Return a DICOM file with further elements before Rows."""
    data = dicom()
    at = data.index(b"\x28\0\x10\0US")
    return data[:at] + elements + data[at:]


def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    return element_start(group, number, kind, len(value)) + value


def element_start(group: int, number: int, kind: bytes, length: int = UNDEFINED_LENGTH) -> bytes:
    return struct.pack("<HH2sHI", group, number, kind, 0, length)


def item_start(length: int = UNDEFINED_LENGTH) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, length)


EMPTY_ITEM = item_start() + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def many_parts(kind: bytes, content: bytes, *, outer: bool = False) -> bytes:
    """Return a DICOM file with a million private values of undefined length, or items of one."""
    start = element_start(0x0027, 0x1001, kind)
    if outer:
        return before_rows(start + content * 10**6 + _SEQUENCE_END)
    return before_rows((start + content + _SEQUENCE_END) * 10**6)


def nested(depth: int) -> bytes:
    return before_rows((element_start(0x0028, 0x0005, b"SQ") + item_start()) * depth)


def nested_of_known_length(depth: int) -> bytes:
    value = b""
    for _ in range(depth):
        value = element(0x0028, 0x3010, b"SQ", item_start(len(value)) + value)
    data = dicom()
    at = data.index(b"\xe0\x7f\x10\0OW")
    return data[:at] + value + data[at:]


def lookup_table(**fields: bytes) -> bytes:
    item = table(np.arange(4096))
    for name, value in fields.items():
        item[name].value = value
    return dicom(VOILUTSequence=[item])


def many_items(count: int) -> bytes:
    return before_rows(element(0x0028, 0x3000, b"SQ", item_start(0) * count))
