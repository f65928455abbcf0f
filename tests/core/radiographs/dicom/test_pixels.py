"""Pixels of DICOM: the bits that count, and a header that the decoder's result must agree with."""

from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import encaps
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)

from elbow_core.prepare import DataConfig, FractionSplit, prepare
from elbow_core.radiographs import Preprocessing, decode_radiograph
from elbow_core.sources import FolderSource
from tests.support.dicom_files import RAMP, dicom, encode, refusal, run_length, scaled
from tests.support.tiny_images import make_image, write


def encapsulate(frames: Any) -> bytes:
    return encaps.encapsulate([bytes(frame) for frame in frames])


GREY = (RAMP >> 4).astype(np.uint8)
SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEG2000Lossless,
]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(
    ("allocated", "stored", "high"),
    [(8, 8, 7), (8, 6, 5), (8, 6, 7), (16, 12, 11), (16, 12, 13), (16, 12, 15), (16, 10, 9),
     (16, 16, 15)],
)  # fmt: skip
def test_pixel_is_made_of_the_stored_bits_alone(syntax, signed, allocated, stored, high):
    low = -(1 << stored - 1) if signed else 0
    pixels = np.linspace(low, low + (1 << stored) - 1, 48 * 40).round().astype(np.int64)
    pixels = pixels.reshape(48, 40)
    noise = np.random.default_rng(0).integers(0, 1 << allocated, pixels.shape)
    place = high + 1 - stored
    mask = ((1 << stored) - 1) << place
    words = ((pixels << place) & mask) | (noise & ~mask)
    words = words.astype(f"u{allocated // 8}")
    data = dicom(
        words,
        stored,
        syntax,
        HighBit=high,
        PixelRepresentation=int(signed),
        PixelData=encode(words, syntax),
    )
    assert np.array_equal(decode_radiograph(data, "a.dcm"), scaled(pixels))


@pytest.mark.parametrize("stored", [12, 16])
def test_signed_jpeg_2000_stream_is_read_by_the_header(stored):
    pixels = (RAMP.astype(np.int32) - 2048).astype(np.int16)
    stream = imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True)
    data = dicom(pixels, stored, JPEG2000Lossless, PixelData=encapsulate([stream]))
    assert np.array_equal(decode_radiograph(data, "a.dcm"), scaled(pixels))


def test_bytes_in_words_of_the_other_order_keep_their_places():
    swapped = GREY.view(np.uint16).byteswap().tobytes()
    data = dicom(GREY, 8, ExplicitVRBigEndian, PixelData=swapped)
    assert np.array_equal(decode_radiograph(data, "a.dcm"), scaled(GREY))


def test_words_of_the_other_order_are_read():
    data = dicom(RAMP, 12, ExplicitVRBigEndian, PixelData=RAMP.astype(">u2").tobytes())
    assert np.array_equal(decode_radiograph(data, "a.dcm"), scaled(RAMP))


def test_words_of_32_bits_are_read():
    pixels = RAMP.astype(np.uint32) * 70_000
    assert np.array_equal(decode_radiograph(dicom(pixels, 32), "a.dcm"), scaled(pixels))


CONTRADICTIONS = {
    "two frames, Number of Frames 1": (
        dicom(GREY, 8, NumberOfFrames=1, PixelData=GREY.tobytes() * 2),
        "more frames, samples or bits than it says",
    ),
    "words under BitsAllocated 8": (
        dicom(GREY, 8, PixelData=GREY.astype("<u2").tobytes()),
        "with 3840 bytes of pixels, where its header gives 1920",
    ),
    "three samples, MONOCHROME2": (
        dicom(
            GREY,
            8,
            SamplesPerPixel=3,
            PlanarConfiguration=0,
            PixelData=np.stack([GREY] * 3, -1).tobytes(),
        ),
        "whose SamplesPerPixel (0028,0002) is 3",
    ),
    "three samples said to be one": (
        dicom(GREY, 8, PixelData=np.stack([GREY] * 3, -1).tobytes()),
        "more frames, samples or bits",
    ),
    "half of the pixels": (
        dicom(RAMP, 12, PixelData=RAMP[:24].tobytes()),
        "cannot be decoded: 1920 bytes of 3840",
    ),
    "two frames of run length data": (
        dicom(RAMP, 12, RLELossless, PixelData=encapsulate([run_length(RAMP)] * 2)),
        "with 2 frames of pixels, where its header gives one",
    ),
    "two JPEG frames": (
        dicom(
            RAMP,
            12,
            JPEGLosslessSV1,
            PixelData=encapsulate(
                [imagecodecs.jpeg8_encode(RAMP, lossless=True, bitspersample=16)] * 2
            ),
        ),
        "with 2 frames of pixels, where its header gives one",
    ),
    "two JPEG 2000 frames": (
        dicom(
            RAMP,
            12,
            JPEG2000Lossless,
            PixelData=encapsulate(
                [imagecodecs.jpeg2k_encode(RAMP, level=0, codecformat="j2k")] * 2
            ),
        ),
        "with 2 frames of pixels, where its header gives one",
    ),
    "colour JPEG": (
        dicom(
            GREY,
            8,
            UID("1.2.840.10008.1.2.4.50"),
            PixelData=encapsulate([imagecodecs.jpeg8_encode(np.stack([GREY] * 3, -1))]),
        ),
        "whose JPEG is not grey",
    ),
    "colour JPEG 2000": (
        dicom(
            GREY,
            8,
            JPEG2000Lossless,
            PixelData=encapsulate(
                [imagecodecs.jpeg2k_encode(np.stack([GREY] * 3, -1), level=0, codecformat="j2k")]
            ),
        ),
        "whose JPEG 2000 stream is not grey",
    ),
    "JPEG of 16 bits under BitsAllocated 8": (
        dicom(
            GREY,
            8,
            JPEGLosslessSV1,
            PixelData=encapsulate(
                [imagecodecs.jpeg8_encode(RAMP, lossless=True, bitspersample=16)]
            ),
        ),
        "whose JPEG has 16 bits, where its header gives BitsAllocated 8",
    ),
    "signed JPEG of 8 bits under BitsStored 12": (
        dicom(
            RAMP.view(np.int16),
            12,
            JPEGLosslessSV1,
            PixelData=encapsulate([imagecodecs.jpeg8_encode(GREY, lossless=True)]),
        ),
        "whose JPEG has 8 bits",
    ),
    "BitsStored above BitsAllocated": (
        dicom(BitsStored=17),
        "contradicts itself: BitsAllocated 16",
    ),
    "HighBit below BitsStored": (dicom(HighBit=3), "contradicts itself"),
    "HighBit above BitsAllocated": (dicom(HighBit=16), "contradicts itself"),
    "BitsAllocated 12": (dicom(BitsAllocated=12, HighBit=11), "BitsAllocated (0028,0100) is 12"),
    "PixelRepresentation 2": (dicom(PixelRepresentation=2), "PixelRepresentation (0028,0103) is 2"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_pixels_that_contradict_the_header_are_refused(name):
    data, reason = CONTRADICTIONS[name]
    assert reason in refusal(data)


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("PixelRepresentation", "without PixelRepresentation (0028,0103)"),
        ("BitsStored", "without BitsStored (0028,0101)"),
        ("BitsAllocated", "without BitsAllocated (0028,0100)"),
        ("SamplesPerPixel", "without SamplesPerPixel (0028,0002)"),
        ("PixelData", "without PixelData (7FE0,0010)"),
    ],
)
def test_missing_attribute_is_named(attribute, reason):
    removed: Any = {attribute: None}
    assert refusal(dicom(**removed)) == f"is a DICOM file {reason}"


def test_missing_high_bit_is_the_top_of_the_stored_bits():
    assert np.array_equal(decode_radiograph(dicom(HighBit=None), "a.dcm"), scaled(RAMP))


def test_contradicting_files_are_rejected_by_name_and_the_rest_is_prepared(tmp_path):
    root = tmp_path / "root"
    for number in range(24):
        write(root / ("normal", "injury")[number % 2] / f"{number}.png", make_image(number))
    for number, (data, _) in enumerate(CONTRADICTIONS.values()):
        (root / "injury" / f"bad{number}.dcm").write_bytes(data)
    prepare(
        DataConfig(
            source=FolderSource(classes={"normal": 0, "injury": 1}),
            root=root,
            out=tmp_path / "out",
            preprocess=Preprocessing(size=32, sigma=2.0),
            split=FractionSplit(train=0.5, validation=0.25, test=0.25),
            workers=0,
        )
    )
    rejected = (tmp_path / "out/rejected.csv").read_text()
    for number in range(len(CONTRADICTIONS)):
        assert f"injury/bad{number}.dcm" in rejected
