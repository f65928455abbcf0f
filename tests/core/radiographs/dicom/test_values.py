"""Numbers in DICOM: read as they plainly stand there, or refused with tag and value."""

import struct
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph
from tests.support.dicom_files import dicom

WINDOW: dict[str, Any] = {"WindowCenter": "2048.0", "WindowWidth": "1024.0"}
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


def with_text(centre: bytes, width: bytes = b"1024.0", syntax=ExplicitVRLittleEndian) -> bytes:
    """Return a file with any bytes, six of them, for centre and width of the window."""
    data = dicom(syntax=syntax, **WINDOW)
    return data.replace(b"2048.0", centre.ljust(6)).replace(b"1024.0", width.ljust(6))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    ("centre", "width"),
    [
        (b"2048,0", b"1024,0"),
        (b" 2048", b"1024 "),
        (b"2048\0\0", b"1024\0"),
        (b"2048E0", b"1024e0"),
        (b"+2048.", b"+1024"),
        (b"2048\\9", b"1024\\1"),
    ],
)
def test_number_is_read_as_it_plainly_stands_there(syntax, centre, width):
    expected = decode_radiograph(dicom(**WINDOW), "a.dcm")
    found = decode_radiograph(with_text(centre, width, syntax), "a.dcm")
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    "text",
    [b"2,048", b"2 048", b"1_000", b"nan", b"inf", b"0x800", b"abc", b"2.0.4", b"--8", b"9e"],
)
def test_text_that_is_not_one_number_is_refused_with_tag_and_value(syntax, text):
    with pytest.raises(RadiographError) as caught:
        decode_radiograph(with_text(text, syntax=syntax), "a.dcm")
    message = str(caught.value)
    assert message.startswith("a.dcm: is a DICOM file whose WindowCenter (0028,1050) is ")
    assert repr(text.decode()) in message


def test_number_beyond_all_is_refused():
    with pytest.raises(RadiographError, match=r"WindowCenter \(0028,1050\)"):
        decode_radiograph(with_text(b"1e9999"), "a.dcm")


@pytest.mark.parametrize("name", ["WindowCenter", "WindowWidth", "RescaleSlope"])
def test_empty_value_counts_as_absent(name):
    expected = decode_radiograph(dicom(), "a.dcm")
    tags: Any = {name: ""}
    assert np.array_equal(decode_radiograph(dicom(**tags), "a.dcm"), expected)


def test_window_stored_as_a_binary_number_is_read():
    expected = decode_radiograph(dicom(**WINDOW), "a.dcm")
    data = dicom(**WINDOW)
    for tag, text in ((0x1050, b"2048.0"), (0x1051, b"1024.0")):
        element = struct.pack("<HH2sH", 0x28, tag, b"DS", 6) + text
        assert element in data
        binary = struct.pack("<HH2sHd", 0x28, tag, b"FD", 8, float(text))
        data = data.replace(element, binary)
    assert np.array_equal(decode_radiograph(data, "a.dcm"), expected)


@pytest.mark.parametrize("frames", [b"1 ", b"1.0 ", b"1,0 ", b"", b"0 "])
def test_one_frame_may_be_written_in_several_ways(frames):
    element = b"IS" + struct.pack("<H", len(frames)) + frames
    data = dicom(NumberOfFrames=7).replace(b"IS\2\x007 ", element)
    assert element in data
    assert np.array_equal(decode_radiograph(data, "a.dcm"), decode_radiograph(dicom(), "a.dcm"))
