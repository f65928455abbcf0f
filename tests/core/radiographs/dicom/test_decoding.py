import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, generate_frames

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph, read_radiograph
from tests.support.dicom_files import RAMP, dicom, refusal, scaled


def test_grey_levels_are_scaled_by_their_own_range():
    image = decode_radiograph(dicom(), "a.dcm")
    assert image.dtype == np.uint8
    assert np.array_equal(image, scaled(RAMP))


def test_monochrome1_is_inverted_so_that_bone_is_bright():
    image = decode_radiograph(dicom(PhotometricInterpretation="MONOCHROME1"), "a.dcm")
    assert np.abs(image - (255 - scaled(RAMP))).max() <= 1
    assert (image[0, 0], image[-1, -1]) == (255, 0)


def test_signed_levels_and_rescale_keep_their_order():
    signed = (RAMP.astype(np.int16) - 2000).astype(np.int16)
    assert np.array_equal(decode_radiograph(dicom(signed, 13), "a.dcm"), scaled(RAMP))
    falling = decode_radiograph(dicom(RescaleSlope=-2.0, RescaleIntercept=50.0), "a.dcm")
    assert np.abs(falling - (255 - scaled(RAMP))).max() <= 1


def test_window_saturates_levels_outside_it():
    image = decode_radiograph(dicom(WindowCenter=1000, WindowWidth=500), "a.dcm")
    # DICOM PS3.3 C.11.2.1.2.1: black up to c - 0.5 - (w - 1) / 2, white above the same after it.
    inside = np.clip((RAMP - 999.5) / 499 + 0.5, 0, 1)
    assert np.abs(image - 255 * inside).max() <= 1
    assert (image == 0).sum() > 300
    assert (image == 255).sum() > 1000


def test_first_of_several_windows_is_used():
    first = decode_radiograph(dicom(WindowCenter=1000, WindowWidth=500), "a.dcm")
    several = dicom(WindowCenter=[1000, 3000], WindowWidth=[500, 100])
    assert np.array_equal(decode_radiograph(several, "a.dcm"), first)


def test_window_applies_to_rescaled_levels():
    plain = decode_radiograph(dicom(WindowCenter=1000, WindowWidth=500), "a.dcm")
    rescaled = dicom(RescaleSlope=2.0, RescaleIntercept=0.0, WindowCenter=2000, WindowWidth=1000)
    difference = decode_radiograph(rescaled, "a.dcm").astype(int) - plain
    assert np.abs(difference).max() <= 1


def test_voi_lookup_table_has_priority_over_the_window():
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.add_new("LUTData", "OW", (4095 - np.arange(4096) // 2).astype("<u2").tobytes())
    data = dicom(VOILUTSequence=[table], WindowCenter=1000, WindowWidth=2)
    assert np.array_equal(decode_radiograph(data, "a.dcm"), scaled(4095 - RAMP // 2))


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_excluded_from_the_range(kind):
    padded = RAMP // 4 + 1000
    expected = scaled(padded[:, 10:] if kind == "MONOCHROME2" else 5000 - padded[:, 10:])
    padded[:, :10] = 4000
    data = dicom(padded, PixelPaddingValue=4000, PhotometricInterpretation=kind)
    image = decode_radiograph(data, "a.dcm")
    assert (image[:, :10] == 0).all()
    assert np.abs(image[:, 10:] - expected).max() <= 1


def test_padding_can_be_a_range():
    padded = RAMP // 4
    padded[:, :10] = 3990
    data = dicom(padded, PixelPaddingValue=4000, PixelPaddingRangeLimit=3900)
    assert (decode_radiograph(data, "a.dcm")[:, :10] == 0).all()


def test_one_frame_is_decoded_and_several_are_refused():
    decode_radiograph(dicom(NumberOfFrames=1), "a.dcm")
    data = dicom(np.stack([RAMP, RAMP]), NumberOfFrames=2)
    assert refusal(data) == "is a DICOM file of 2 frames; give one image"


def test_colour_is_refused():
    data = dicom(PhotometricInterpretation="RGB", SamplesPerPixel=3)
    assert refusal(data).startswith("is a RGB DICOM file; only grey ones")


def test_file_without_an_image_is_refused():
    reason = "is a DICOM file without an image, or cut short before it"
    assert refusal(dicom(Rows=None)) == reason
    assert refusal(dicom(PixelData=None)) == "is a DICOM file without PixelData (7FE0,0010)"


def test_size_is_checked_before_the_pixels():
    assert refusal(dicom(Rows=20_000, Columns=20_000)) == (
        "is 20000 x 20000, more than 100 megapixels"
    )
    assert refusal(dicom(RAMP[:8])) == "is 40 x 8, below 32 pixels a side"


def test_truncated_pixels_are_refused():
    data = dicom()
    for length in range(132, len(data), 97):
        assert refusal(data[:length])
    assert refusal(data[:-1])


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic_give_an_image_or_a_radiograph_error(data):
    try:
        image = decode_radiograph(bytes(128) + b"DICM" + data, "x")
    except RadiographError as error:
        named = str(error).startswith("x: ")
    else:
        named = image.dtype == np.uint8
    assert named


def test_type_is_determined_by_content_not_by_name(tmp_path):
    (tmp_path / "IM000001").write_bytes(dicom())
    assert np.array_equal(read_radiograph(tmp_path / "IM000001"), scaled(RAMP))


def test_real_jpeg_2000_radiographs_show_bright_bone(real_radiographs):
    files = sorted((real_radiographs / "dicom").glob("*.dcm"))
    assert len(files) == 2
    for file in files:
        dataset = dcmread(file)
        image = read_radiograph(file)
        assert image.shape == (dataset.Rows, dataset.Columns)
        assert (image.min(), image.max()) == (0, 255)
        # The stored levels of these MONOCHROME1 images are low where absorption is high.
        stored = dataset.pixel_array.astype(float)
        assert np.corrcoef(stored.ravel(), image.ravel())[0, 1] < -0.9


def test_real_truncated_jpeg_2000_stream_is_refused(real_radiographs):
    file = sorted((real_radiographs / "dicom").glob("*.dcm"))[0]
    dataset = dcmread(file)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    assert frame.startswith(struct.pack(">H", 0xFF4F)) or b"jP" in frame[:12]
    dataset.PixelData = encapsulate([frame[: len(frame) // 4]])
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert "cannot be decoded" in refusal(buffer.getvalue())
