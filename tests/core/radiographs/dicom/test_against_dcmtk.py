"""A grid of the attributes that decide a DICOM picture, rendered by DCMTK as a second program."""

import itertools
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)

from elbow_core.radiographs import decode_radiograph
from tests.support.dicom_files import dicom, encode, scaled, table

pytestmark = pytest.mark.skipif(
    shutil.which("dcmj2pnm") is None, reason="DCMTK is not installed (Debian package dcmtk)"
)

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEGLosslessSV1,
)
FORMATS = ((8, 8, 7), (16, 10, 9), (16, 12, 11), (16, 12, 15), (16, 16, 15))
RESCALES: Mapping[str, dict[str, Any]] = {
    "none": {},
    "rising": {"RescaleSlope": "2", "RescaleIntercept": "-100"},
    "falling": {"RescaleSlope": "-1", "RescaleIntercept": "50"},
}
VOI: Mapping[str, tuple[dict[str, Any], str]] = {
    "none": ({}, "+Wm"),
    "window": ({"WindowCenter": "90", "WindowWidth": "101"}, "+Wi"),
    "sigmoid": (
        {"WindowCenter": "90", "WindowWidth": "101", "VOILUTFunction": "SIGMOID"},
        "+Wi",
    ),
    "table": ({"VOILUTSequence": []}, "+Wl"),
}


def render(data: bytes, folder: Path, option: str) -> np.ndarray:
    """Return DCMTK's rendering, scaled to 0 to 255."""
    source, target = folder / "in.dcm", folder / "out.pgm"
    source.write_bytes(data)
    number = ["1"] if option in ("+Wi", "+Wl") else []
    command = ["dcmj2pnm", "-q", option, *number, "+opw", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return scaled(np.asarray(cv2.imread(str(target), cv2.IMREAD_UNCHANGED)))


def words_of(form: tuple[int, int, int], signed: bool) -> np.ndarray:
    """Return words of pixels around 0 to 255, with noise in the bits that do not count."""
    allocated, stored, high = form
    low = max(-(1 << stored - 1), -300) if signed else 0
    top = min((1 << stored) - 1 + (low if stored == 8 and signed else 0), 700)
    top = min(top, (1 << stored - 1) - 1) if signed else top
    pixels = np.linspace(low, top, 34 * 60).round().astype(np.int64).reshape(34, 60)
    place = high + 1 - stored
    mask = ((1 << stored) - 1) << place
    noise = np.random.default_rng(0).integers(0, 1 << allocated, pixels.shape)
    return (((pixels << place) & mask) | (noise & ~mask)).astype(f"u{allocated // 8}")


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("voi", VOI)
@pytest.mark.parametrize(
    ("formats", "rescales"),
    [(FORMATS[3:4], ("rising",)), pytest.param(FORMATS, RESCALES, marks=pytest.mark.slow)],
    ids=["one format", "all formats"],
)
def test_picture_is_that_of_dcmtk(tmp_path, syntax: UID, voi: str, formats, rescales):
    kinds = ("MONOCHROME1", "MONOCHROME2")
    cases: Any = itertools.product(formats, (False, True), rescales, kinds)
    for form, signed, rescale, kind in cases:
        words = words_of(form, signed)
        tags, option = VOI[voi]
        if voi == "table":
            entries = np.arange(150) * 300
            item = table(entries, first=20)
            tags = {"VOILUTSequence": [item]}
        stored = words.astype(">u2") if syntax == ExplicitVRBigEndian and form[0] > 8 else words
        if syntax == ExplicitVRBigEndian and form[0] == 8:
            stored = words.view(np.uint16).byteswap()
        if syntax == ExplicitVRBigEndian and voi == "table":
            item.LUTData = entries.astype(">u2").tobytes()
        data = dicom(
            words,
            form[1],
            syntax,
            HighBit=form[2],
            PixelRepresentation=int(signed),
            PhotometricInterpretation=kind,
            PixelData=encode(stored, syntax),
            **RESCALES[rescale],
            **tags,
        )
        difference = decode_radiograph(data, "a.dcm") - render(data, tmp_path, option)
        assert np.abs(difference).max() <= 1, (form, signed, rescale, kind)
