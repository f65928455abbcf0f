"""The reason that the code knows reaches the user; a single grey level is no radiograph."""

import struct

import numpy as np
import pytest

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph
from tests.support.dicom_files import RAMP, dicom, refusal, table
from tests.support.tiny_images import encode


def without_syntax() -> bytes:
    """Return a file whose file meta information lacks the Transfer Syntax UID."""
    data = dicom()
    at = data.index(b"\2\0\x10\0UI")
    length = 8 + struct.unpack_from("<H", data, at + 6)[0]
    (group,) = struct.unpack_from("<L", data, 140)
    return data[:140] + struct.pack("<L", group - length) + data[144:at] + data[at + length :]


REASONS = {
    "no transfer syntax": (without_syntax(), "without TransferSyntaxUID (0002,0010)"),
    "width 0": (dicom(WindowCenter=0, WindowWidth=0), "WindowWidth (0028,1051) is 0"),
    "width below 0": (dicom(WindowCenter=0, WindowWidth=-9), "WindowWidth (0028,1051) is -9"),
    "function": (
        dicom(WindowCenter=2, WindowWidth=4, VOILUTFunction="GAMMA"),
        "VOILUTFunction (0028,1056) is GAMMA; LINEAR, LINEAR_EXACT and SIGMOID are known",
    ),
    "slope 0": (dicom(RescaleSlope=0, RescaleIntercept=5), "RescaleSlope (0028,1053) is 0"),
    "window above": (
        dicom(WindowCenter=40000, WindowWidth=100),
        "window (40000, width 100) holds none of its levels (0 to 4095)",
    ),
    "window below": (dicom(WindowCenter=-400, WindowWidth=100), "holds none of its levels"),
    "exact window above": (
        dicom(WindowCenter=40000, WindowWidth=100, VOILUTFunction="LINEAR_EXACT"),
        "holds none of its levels",
    ),
    "sigmoid above": (
        dicom(WindowCenter=1e6, WindowWidth=1, VOILUTFunction="SIGMOID"),
        "holds none of its levels",
    ),
    "table of one level": (
        dicom(VOILUTSequence=[table(np.full(4096, 9))]),
        "all its pixels have the same grey level",
    ),
    "table beside the levels": (
        dicom(ModalityLUTSequence=[table(np.arange(10), first=60000)]),
        "all its pixels have the same grey level",
    ),
    "constant pixels": (
        dicom(np.full_like(RAMP, 77)),
        "all its pixels have the same grey level",
    ),
    "constant beside padding": (
        dicom(np.where(np.arange(40) < 9, 5, np.full_like(RAMP, 77)), PixelPaddingValue=5),
        "all its pixels have the same grey level",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_reason_reaches_the_user(name):
    data, reason = REASONS[name]
    assert reason in refusal(data)


@pytest.mark.parametrize("kind", [".png", ".jpg"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_picture_of_one_grey_level_is_refused(kind, level):
    data = encode(np.full((64, 64), level, np.uint8), kind)
    with pytest.raises(RadiographError, match="all its pixels have the same grey level"):
        decode_radiograph(data, "a")


def test_a_rescale_by_one_value_alone_has_the_neutral_other():
    image = decode_radiograph(dicom(RescaleSlope=-1), "a.dcm")
    assert np.array_equal(
        image, decode_radiograph(dicom(PhotometricInterpretation="MONOCHROME1"), "a.dcm")
    )
