"""All combinations of the tags of DICOM's grey level pipeline, compared with the standard."""

import itertools
import logging
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph, read_radiograph
from tests.support.dicom_files import PATIENT, dicom, table

SYNTAXES = (ExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1)
DEPTHS = ((np.uint8, 8), (np.uint16, 10), (np.uint16, 12), (np.uint16, 16), (np.int16, 12))
MODALITIES: Mapping[str, dict[str, Any]] = {
    "none": {},
    "rescale": {"RescaleSlope": 2.0, "RescaleIntercept": -100.0},
    "falling": {"RescaleSlope": -1.0, "RescaleIntercept": 300.0},
    "table": {"ModalityLUTSequence": [table(np.arange(200)[::-1] ** 2 // 10)]},
}
VOI: Mapping[str, dict[str, Any]] = {
    "none": {},
    "linear": {"WindowCenter": 90.0, "WindowWidth": 101.0},
    "exact": {"WindowCenter": 90.0, "WindowWidth": 100.0, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 90.0, "WindowWidth": 100.0, "VOILUTFunction": "SIGMOID"},
    "table": {"VOILUTSequence": [table(np.arange(150) * 300, first=20)]},
    "table before window": {
        "VOILUTSequence": [table(np.arange(150) * 300, first=20)],
        "WindowCenter": 3.0,
        "WindowWidth": 2.0,
    },
}


def levels(dtype: type, bits: int) -> np.ndarray:
    """Return levels evenly spaced over the range of the bits."""
    signed = np.dtype(dtype).kind == "i"
    low = -(2 ** (bits - 1)) if signed else 0
    return np.linspace(low, low + 2**bits - 1, 34 * 60).astype(dtype).reshape(34, 60)


def look_up(stored: np.ndarray, item: Dataset) -> np.ndarray:
    """Look levels up in a table; levels outside it get its first or last entry."""
    entries = np.frombuffer(item.LUTData, "<u2").astype(float)
    return entries[np.clip(stored.astype(int) - item.LUTDescriptor[1], 0, len(entries) - 1)]


def expected(stored: np.ndarray, tags: Mapping[str, Any], kind: str) -> np.ndarray:
    """Independent implementation of PS3.3 C.11.1, C.11.2.1.2 and C.7.6.3.1.2; then 0 to 255."""
    x = stored.astype(float)
    if "ModalityLUTSequence" in tags:
        x = look_up(x, tags["ModalityLUTSequence"][0])
    elif "RescaleSlope" in tags:
        x = x * tags["RescaleSlope"] + tags["RescaleIntercept"]
    if "VOILUTSequence" in tags:
        x = look_up(x, tags["VOILUTSequence"][0])
    elif "WindowCenter" in tags:
        centre, width = tags["WindowCenter"], tags["WindowWidth"]
        match tags.get("VOILUTFunction", "LINEAR"):
            case "LINEAR":
                x = np.clip((x - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
            case "LINEAR_EXACT":
                x = np.clip((x - centre) / width + 0.5, 0, 1)
            case "SIGMOID":
                x = 1 / (1 + np.exp(np.clip(-4 * (x - centre) / width, -700, 700)))
    if kind == "MONOCHROME1":
        x = -x
    span = x.max() - x.min()
    return np.rint((x - x.min()) * (255 / span)) if span else np.zeros(x.shape)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("voi", VOI)
def test_grey_levels_follow_the_standard_for_each_combination_of_tags(syntax, voi):
    kinds = ("MONOCHROME1", "MONOCHROME2")
    for (dtype, bits), modality, kind in itertools.product(DEPTHS, MODALITIES, kinds):
        stored = levels(dtype, bits)
        tags = MODALITIES[modality] | VOI[voi]
        data = dicom(stored, bits, syntax, PhotometricInterpretation=kind, **tags)
        difference = decode_radiograph(data, "a.dcm") - expected(stored, tags, kind)
        # Half a grey level can be rounded up or down.
        assert np.abs(difference).max() <= 1, (dtype, bits, modality, kind)


def test_bits_above_bits_stored_are_ignored():
    stored = levels(np.uint16, 10)
    overlaid = stored | np.uint16(0b1010_1000_0000_0000)
    clean = decode_radiograph(dicom(stored, 10), "a.dcm")
    assert np.array_equal(decode_radiograph(dicom(overlaid, 10), "a.dcm"), clean)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, HTJ2KLossless], ids=lambda s: s.name)
def test_unsupported_compression_is_named(syntax):
    data = dicom(levels(np.uint16, 12), 12, syntax)
    with pytest.raises(RadiographError, match=rf"compressed as {syntax.name[:9]}.*uncompressed"):
        decode_radiograph(data, "a.dcm")


@pytest.mark.parametrize("syntax", SYNTAXES[1:], ids=lambda syntax: syntax.name)
def test_compressed_image_with_another_size_than_the_header_is_refused(syntax):
    data = dicom(levels(np.uint16, 12), 12, syntax, Rows=68)
    with pytest.raises(RadiographError, match="pixels"):
        decode_radiograph(data, "a.dcm")


def test_grey_levels_that_are_not_finite_are_refused():
    data = dicom(levels(np.uint16, 12), 12, RescaleSlope="1e308", RescaleIntercept="1e308")
    with pytest.raises(RadiographError, match="no finite grey levels"):
        decode_radiograph(data, "a.dcm")


def broken_files() -> list[bytes]:
    stored = levels(np.uint16, 12)
    whole = dicom(stored, 12)
    return [
        dicom(stored, 12, PixelData=None),
        dicom(stored, 12, WindowCenter=1.0, WindowWidth=0.0),
        dicom(stored, 12, JPEGLosslessSV1)[:-40],
        dicom(stored, 12, NumberOfFrames=3),
        whole[:700],
        whole.replace(b"12\0\0", b"xx\0\0"),
        whole.replace(b"1.2.840.10008.1.2.1\0", b"SECRET-no-UID-at-all"),
        whole.replace(b"19700203", b"Secret^B"),  # Not a date; pydicom quotes it in a warning.
        whole.replace(b"Nobody^Named", b"\xff\xfeSecret^N\x80\x80"),
    ]


def test_no_patient_tag_is_quoted_in_an_error_a_warning_or_a_log(caplog, capfd):
    messages = []
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        for data in broken_files():
            try:
                decode_radiograph(data, "a.dcm")
            except RadiographError as error:
                messages.append(str(error))
    assert len(messages) >= 5
    captured = capfd.readouterr()
    messages += [str(warning.message) for warning in warned]
    messages += [caplog.text, captured.out, captured.err]
    for secret in ("Nobody", "Named", "Secret", "SECRET", *PATIENT.values()):
        assert not any(secret in text for text in messages), secret


def test_real_files_follow_their_tags(real_radiographs):
    for file in sorted((real_radiographs / "dicom").glob("*.dcm")):
        dataset = dcmread(file)
        tags = {
            name: dataset[name].value
            for name in ("RescaleSlope", "RescaleIntercept", "VOILUTFunction", "VOILUTSequence")
            if name in dataset
        }
        for name in ("WindowCenter", "WindowWidth"):
            if name in dataset:
                value = dataset[name].value
                tags[name] = float(value if dataset[name].VM == 1 else value[0])
        image = expected(dataset.pixel_array, tags, dataset.PhotometricInterpretation)
        assert dataset.PhotometricInterpretation == "MONOCHROME1"
        assert np.abs(read_radiograph(file) - image).max() <= 1
