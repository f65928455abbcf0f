"""Lookup tables and padding of DICOM: signs and sizes of their values, by PS3.3 C.11."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph
from tests.support.dicom_files import RAMP, dicom, scaled

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
SIGNED = (RAMP.astype(np.int32) - 2048).astype(np.int16)


def typed_table(entries: np.ndarray, first: int, kind: str, data: bytes) -> Dataset:
    """Return a lookup table whose first level has the type ``kind``, with any data."""
    item = Dataset()
    item.add_new("LUTDescriptor", kind, [len(entries) % 65536, first, 16])
    item.add_new("LUTData", "OW", data)
    return item


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    ("pixels", "rescale", "first"),
    [
        (RAMP, {"RescaleSlope": "1", "RescaleIntercept": "-1024"}, -1024),
        (RAMP, {"RescaleSlope": "-1", "RescaleIntercept": "0"}, -4095),
        (SIGNED, {}, -2048),
        (SIGNED, {"RescaleSlope": "1", "RescaleIntercept": "-100"}, -2148),
    ],
)
def test_first_level_of_a_voi_table_is_signed_where_levels_can_be_negative(
    syntax, pixels, rescale, first
):
    entries = np.arange(4096) ** 2 // 300
    item = typed_table(entries, first, "SS", entries.astype("<u2").tobytes())
    image = decode_radiograph(dicom(pixels, 12, syntax, **rescale, VOILUTSequence=[item]), "a.dcm")
    slope, intercept = (
        float(rescale.get(name, default))
        for name, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    levels = pixels * slope + intercept - first
    assert np.abs(image - scaled(entries[levels.astype(int)])).max() <= 1


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_first_level_of_a_modality_table_has_the_sign_of_the_pixels(syntax):
    entries = np.arange(4096)[::-1]
    item = typed_table(entries, -2048, "SS", entries.astype("<u2").tobytes())
    image = decode_radiograph(dicom(SIGNED, 12, syntax, ModalityLUTSequence=[item]), "a.dcm")
    assert np.array_equal(image, scaled(-SIGNED.astype(int)))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_unsigned_first_level_above_32767_stays_so_where_levels_cannot_be_negative(syntax):
    pixels = (RAMP.astype(np.uint32) * 4 + 40_000).astype(np.uint16)
    entries = np.arange(20_000)
    item = typed_table(entries, 40_000, "US", entries.astype("<u2").tobytes())
    image = decode_radiograph(dicom(pixels, 16, syntax, ModalityLUTSequence=[item]), "a.dcm")
    assert np.array_equal(image, scaled(pixels))


def test_negative_first_level_written_as_unsigned_is_recognised():
    """Some writers know no SS: a first level above all possible ones is negative."""
    entries = np.arange(4096)
    item = typed_table(entries, 65536 - 2048, "US", entries.astype("<u2").tobytes())
    image = decode_radiograph(dicom(SIGNED, 12, VOILUTSequence=[item]), "a.dcm")
    assert np.array_equal(image, scaled(SIGNED))


@pytest.mark.parametrize("count", [4096, 4095])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_entries_of_8_bits_may_be_packed_or_stand_in_words(syntax, count):
    entries = (np.arange(count) >> 4).astype(np.uint8)
    packed = entries.tobytes() + b"\0" * (count % 2)
    images = [
        decode_radiograph(dicom(RAMP, 12, syntax, VOILUTSequence=[item]), "a.dcm")
        for item in (
            typed_table(entries, 0, "US", packed),
            typed_table(entries, 0, "US", entries.astype("<u2").tobytes()),
        )
    ]
    assert np.array_equal(images[0], images[1])
    assert np.array_equal(images[0], scaled(entries[np.minimum(RAMP, count - 1)]))


def test_packed_entries_of_the_other_order_keep_their_places():
    entries = (np.arange(4096) >> 4).astype(np.uint8)
    swapped = entries.view(np.uint16).byteswap().tobytes()
    item = typed_table(entries, 0, "US", swapped)
    data = dicom(
        RAMP, 12, ExplicitVRBigEndian, VOILUTSequence=[item], PixelData=RAMP.astype(">u2").tobytes()
    )
    assert np.array_equal(decode_radiograph(data, "a.dcm"), scaled(RAMP >> 4))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Dataset(), "a lookup table without LUTDescriptor (0028,3002)"),
        (typed_table(np.arange(9), 0, "US", b""), "a lookup table without LUTData (0028,3006)"),
        (typed_table(np.arange(99), 0, "US", bytes(40)), "cut short: 40 bytes for 99 entries"),
    ],
)
@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_incomplete_table_is_refused_by_name(sequence, item, reason):
    tags: Any = {sequence: [item]}
    with pytest.raises(RadiographError) as caught:
        decode_radiograph(dicom(**tags), "a.dcm")
    assert reason in str(caught.value)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    ("dtype", "stored", "padding", "word"),
    [
        (np.int16, 16, -2000, 0xF830),
        (np.int16, 12, -2000, 0xF830),
        (np.int16, 12, 0x0830, 0xF830),  # the sign of the tag's value is not repeated
        (np.uint16, 16, 63536, 0xF830),
        (np.uint16, 12, 63536, 0xF830),  # beyond the stored bits: the whole word is padding
        (np.uint16, 12, 4095, 0x0FFF),
    ],
)
def test_padding_is_recognised_with_its_sign(syntax, dtype, stored, padding, word):
    pixels = (RAMP // 4 + 900).astype(dtype)
    words = pixels.view(np.uint16).copy()
    words[:, :10] = word
    tags = {"BitsAllocated": 16, "PixelRepresentation": int(np.dtype(dtype).kind == "i")}
    data = dicom(words, stored, syntax, **tags)
    dataset = dcmread(io.BytesIO(data))
    dataset.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert struct.pack("<H", padding % 65536) in buffer.getvalue()
    image = decode_radiograph(buffer.getvalue(), "a.dcm")
    assert (image[:, :10] == 0).all()
    assert np.array_equal(image[:, 10:], scaled(pixels[:, 10:]))


def test_image_of_padding_alone_is_refused():
    data = dicom(np.full_like(RAMP, 7), PixelPaddingValue=7)
    with pytest.raises(RadiographError, match="of padding alone"):
        decode_radiograph(data, "a.dcm")
