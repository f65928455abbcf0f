"""DICOM files for the tests: any tags, any pixels, native or compressed."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
    generate_uid,
)

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph

RAMP = np.linspace(0, 4095, 48 * 40).astype(np.uint16).reshape(48, 40)
PATIENT = {
    "PatientName": "Nobody^Named",
    "PatientID": "SECRET-4711",
    "PatientBirthDate": "19700203",
    "AccessionNumber": "SECRET-ACC",
    "InstitutionName": "Secret Hospital",
    "ReferringPhysicianName": "Secret^Referrer",
}


def dicom(
    pixels: np.ndarray = RAMP,
    stored_bits: int = 12,
    syntax: UID = ExplicitVRLittleEndian,
    **fields: object,
) -> bytes:
    """Return a computed radiograph with these pixels; a field of None is removed."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    for name, value in PATIENT.items():
        setattr(dataset, name, value)
    dataset.Modality = "CR"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = stored_bits
    dataset.HighBit = stored_bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    if syntax == JPEGLosslessSV1:
        dataset.PixelData = encapsulate([jpeg_lossless(pixels, stored_bits)])
    elif syntax.is_encapsulated:
        dataset.PixelData = encapsulate([run_length(pixels)])
    else:
        dataset.add_new("PixelData", "OW", pixels.tobytes())
    for name, value in fields.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def scaled(levels: np.ndarray) -> np.ndarray:
    """Return levels scaled from their own range to 0 to 255, rounded."""
    levels = levels.astype(float)
    return np.rint((levels - levels.min()) * (255 / (levels.max() - levels.min())))


def refusal(data: bytes) -> str:
    """Return the reason, on one line, for which the file "a.dcm" of these bytes is refused."""
    with pytest.raises(RadiographError) as caught:
        decode_radiograph(data, "a.dcm")
    message = str(caught.value)
    assert message.startswith("a.dcm: ")
    assert "\n" not in message
    return message.removeprefix("a.dcm: ")


def encode(words: np.ndarray, syntax: UID) -> bytes:
    """Return words as Pixel Data, all of their bits."""
    bits = words.dtype.itemsize * 8
    if syntax == RLELossless:
        return encapsulate([run_length(words)])
    if syntax == JPEGLosslessSV1:
        stream = imagecodecs.jpeg8_encode(words, lossless=True, bitspersample=bits)
        return encapsulate([bytes(stream)])
    if syntax == JPEG2000Lossless:
        stream = imagecodecs.jpeg2k_encode(words, level=0, codecformat="j2k", reversible=True)
        return encapsulate([bytes(stream)])
    return words.tobytes()


def table(levels: np.ndarray, first: int = 0, bits: int = 16) -> Dataset:
    """Return an item of a lookup table sequence that maps ``first`` to the first of the levels."""
    item = Dataset()
    item.LUTDescriptor = [len(levels) % 65536, first, bits]
    item.add_new("LUTData", "OW", levels.astype("<u2").tobytes())
    return item


def run_length(pixels: np.ndarray) -> bytes:
    """Encode pixels by DICOM's run length encoding, all literal (PS3.5 annex G)."""
    planes = pixels.astype(pixels.dtype.newbyteorder(">")).view(np.uint8)
    planes = planes.reshape(*pixels.shape, pixels.dtype.itemsize)
    segments = []
    for plane in np.moveaxis(planes, -1, 0):
        encoded = bytearray()
        for row in plane:
            for start in range(0, len(row), 128):
                literal = row[start : start + 128].tobytes()
                encoded += bytes([len(literal) - 1]) + literal
        segments.append(bytes(encoded) + b"\0" * (len(encoded) % 2))
    return run_length_frame(segments)


def run_length_frame(segments: list[bytes]) -> bytes:
    """Return segments as a frame, after the header with their places."""
    starts = np.cumsum([64, *map(len, segments)])[:-1].tolist()
    header = struct.pack("<16I", len(segments), *starts, *[0] * (15 - len(segments)))
    return header + b"".join(segments)


def jpeg_lossless(pixels: np.ndarray, bits: int) -> bytes:
    """Encode pixels as lossless JPEG, predicted from the left neighbour (T.81 annex H)."""
    height, width = pixels.shape
    codes = bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))  # 17 categories of 5 bits each
    parts = [
        b"\xff\xd8",
        b"\xff\xc3" + struct.pack(">HBHHB", 11, bits, height, width, 1) + bytes([1, 0x11, 0]),
        b"\xff\xc4" + struct.pack(">HB", 3 + len(codes), 0) + codes,
        b"\xff\xda" + struct.pack(">HB", 8, 1) + bytes([1, 0, 1, 0, 0]),
        _entropy_coded(pixels.astype(np.int64) % 2**bits, bits),
        b"\xff\xd9",
    ]
    return b"".join(parts)


def _entropy_coded(levels: np.ndarray, bits: int) -> bytes:
    predicted = np.empty_like(levels)
    predicted[:, 1:] = levels[:, :-1]
    predicted[1:, 0] = levels[:-1, 0]
    predicted[0, 0] = 2 ** (bits - 1)
    text = []
    for difference in (levels - predicted).ravel().tolist():
        difference = (difference + 32767) % 65536 - 32767
        category = abs(difference).bit_length()
        text.append(f"{category:05b}")
        if 0 < category < 16:
            positive = difference > 0
            text.append(f"{difference if positive else difference + 2**category - 1:0{category}b}")
    joined = "".join(text)
    joined += "1" * (-len(joined) % 8)
    data = int(joined, 2).to_bytes(len(joined) // 8, "big")
    return data.replace(b"\xff", b"\xff\x00")
