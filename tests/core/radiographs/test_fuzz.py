"""Fuzzing: a damaged file is an image or an error that names it; no crash and no hang."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openjpeg.utils import encode_array
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, RLELossless

from elbow_core.dataset import read_manifest, write_manifest
from elbow_core.errors import ManifestError, RadiographError
from elbow_core.radiographs import decode_radiograph
from tests.support.dicom_files import RAMP, dicom, table
from tests.support.tiny_images import encode, make_image, row

GREY = make_image(0)
JPEG_2000 = encapsulate([encode_array(RAMP)])
INTACT = {
    "png": encode(GREY),
    "png of 16 bits": encode(GREY.astype(np.uint16) * 250),
    "png with transparency": encode(np.dstack([GREY] * 4)),
    "jpeg": encode(GREY, ".jpg"),
    "jpeg in colour": encode(np.dstack([GREY, GREY // 2, GREY]), ".jpg"),
    "dicom": dicom(WindowCenter=1000, WindowWidth=500, PixelPaddingValue=0),
    "dicom with tables": dicom(
        ModalityLUTSequence=[table(np.arange(4096))], VOILUTSequence=[table(np.arange(2000))]
    ),
    "dicom by run length": dicom(syntax=RLELossless, PhotometricInterpretation="MONOCHROME1"),
    "dicom of lossless jpeg": dicom(RAMP.astype(np.int16), 13, JPEGLosslessSV1),
    "dicom of jpeg 2000": dicom(syntax=JPEG2000Lossless, PixelData=JPEG_2000),
}
FILES = 20_000
EXAMPLES = settings(
    max_examples=FILES // (len(INTACT) + 1) + 1,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=300)),
        st.tuples(st.just("remove"), st.floats(0, 1), st.integers(1, 300)),
        st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 300)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=6,
)


def changed(data: bytes, changes: list[tuple[str, float, bytes | int]]) -> bytes:
    for kind, position, value in changes:
        start = round(position * len(data))
        match kind, value:
            case "write", bytes():
                data = data[:start] + value + data[start + len(value) :]
            case "insert", bytes():
                data = data[:start] + value + data[start:]
            case "remove", int():
                data = data[:start] + data[start + value :]
            case "repeat", int():
                data = data[: start + value] + data[start:]
            case "cut", _:
                data = data[:start]
    return data


@contextmanager
def time_limit() -> Iterator[None]:
    """Kill the process if the block takes more than a minute."""
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)


@pytest.mark.parametrize("kind", INTACT)
def test_intact_file_is_an_image(kind):
    assert decode_radiograph(INTACT[kind], "x").shape in (GREY.shape, RAMP.shape)


@pytest.mark.slow
@pytest.mark.parametrize("kind", INTACT)
@EXAMPLES
@given(changes=CHANGES)
def test_changed_file_is_an_image_or_a_radiograph_error(kind, changes):
    with time_limit():
        try:
            image = decode_radiograph(changed(INTACT[kind], changes), "x")
        except RadiographError as error:
            assert str(error).startswith("x: ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert (image.dtype, image.ndim) == (np.uint8, 2)


@pytest.mark.slow
@EXAMPLES
@given(changes=CHANGES)
def test_changed_manifest_is_rows_or_a_manifest_error(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    write_manifest(path, [row("a", sha256="0" * 64), row('b, "c"', label=1, finding="Brüche")])
    path.write_bytes(changed(path.read_bytes(), changes))
    with time_limit():
        try:
            rows = read_manifest(path)
        except ManifestError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert all(one.label in (0, 1) for one in rows)
