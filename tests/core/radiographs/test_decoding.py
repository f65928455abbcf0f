import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.errors import MachineError, RadiographError
from elbow_core.radiographs import decode_radiograph, read_radiograph
from tests.support.tiny_images import encode, make_image, png_chunk, png_header, write


def fails(path: Path, data: bytes | None = None) -> str:
    """Return the one-line message of the error, without the file's name."""
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(RadiographError) as caught:
        read_radiograph(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def decodes_or_names_the_file(data: bytes) -> bool:
    try:
        image = decode_radiograph(data, "x")
    except RadiographError as error:
        return str(error).startswith("x: ") and "\n" not in str(error)
    return image.dtype == np.uint8 and image.ndim == 2


def opencv(path: Path | str, flags: int = cv2.IMREAD_GRAYSCALE) -> np.ndarray:
    image = cv2.imread(str(path), flags)
    assert image is not None
    return image


def test_grey_png_comes_back_pixel_for_pixel(tmp_path):
    image = make_image(0)
    assert np.array_equal(read_radiograph(write(tmp_path / "a.png", image)), image)


def test_jpeg_is_read_as_opencv_reads_it(tmp_path):
    path = write(tmp_path / "a.jpg", make_image(0))
    assert np.array_equal(read_radiograph(str(path)), opencv(path))


def test_type_is_determined_by_content_not_by_name(tmp_path):
    image = make_image(1)
    path = tmp_path / "named.jpg"
    path.write_bytes(encode(image, ".png"))
    assert np.array_equal(read_radiograph(path), image)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_equal_colour_channels_give_that_grey(tmp_path, suffix):
    image = np.repeat(np.array([90, 170], np.uint8), (16, 32))[None].repeat(40, axis=0)
    path = write(tmp_path / f"a{suffix}", np.dstack([image] * 3))
    assert np.array_equal(read_radiograph(path), image)


def test_16_bits_are_scaled_by_the_images_own_range(tmp_path):
    image = np.linspace(1000, 5000, 40 * 40).reshape(40, 40).astype(np.uint16)
    read = read_radiograph(write(tmp_path / "a.png", image))
    expected = np.rint((image.astype(float) - 1000) * 255 / 4000)
    assert read.dtype == np.uint8
    assert np.array_equal(read, expected)
    assert (read.min(), read.max()) == (0, 255)


def test_constant_16_bit_image_is_refused(tmp_path):
    path = write(tmp_path / "a.png", np.full((40, 40), 30_000, np.uint16))
    with pytest.raises(RadiographError, match="all its pixels have the same grey level"):
        read_radiograph(path)


def test_16_bit_colour_is_grey_too(tmp_path):
    image = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    read = read_radiograph(write(tmp_path / "a.png", np.dstack([image] * 3)))
    assert np.array_equal(read, np.rint(image * (255 / 65535)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_is_black(tmp_path, dtype):
    top = np.iinfo(dtype).max
    image = np.full((64, 64, 4), top, dtype)
    image[32:, :, 3] = 0
    read = read_radiograph(write(tmp_path / "a.png", image))
    assert (read[:32] == 255).all()
    assert (read[32:] == 0).all()


def test_image_is_rotated_by_its_exif_orientation(tmp_path):
    image = np.zeros((40, 64), np.uint8)
    image[:, :32] = 200
    jpeg = encode(image, ".jpg")
    orientation = (
        b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"  # Orientation 6, little endian.
    )
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + orientation + b"\0\0\0\0"
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])
    read = read_radiograph(path)
    assert read.shape == (64, 40)
    assert read[:30].mean() > 190
    assert read[34:].mean() < 10


def test_folder_and_empty_file_are_named(tmp_path):
    assert fails(tmp_path) == "is not a file"
    assert fails(tmp_path / "a.png", b"") == "is empty"


def test_file_that_the_system_does_not_give_is_the_machines_trouble(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(MachineError) as caught:
        read_radiograph(path)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"
    path.symlink_to(path)
    with pytest.raises(MachineError) as caught:
        read_radiograph(path)
    assert str(caught.value) == f"{path}: cannot be read: Too many levels of symbolic links"


def test_impossible_name_is_a_radiograph_error():
    with pytest.raises(RadiographError):
        read_radiograph("a\0b.png")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello, this is text" * 10, "is not an image: neither PNG, JPEG nor DICOM"),
        (b"GIF89a" + bytes(100), "is a GIF file; convert it to PNG, JPEG or DICOM"),
        (b"II*\0" + bytes(100), "is a TIFF file; convert it to PNG, JPEG or DICOM"),
        (b"\x89PNG\r\n\x1a\n", "is cut short: the end of the PNG is missing"),
        (b"\xff\xd8", "is cut short: the JPEG has no image data"),
    ],
)
def test_file_of_another_type_is_named(tmp_path, data, reason):
    assert fails(tmp_path / "a.png", data) == reason


def test_png_truncated_at_any_byte_is_refused(tmp_path):
    data = encode(make_image(2))
    for length in range(1, len(data)):
        with pytest.raises(RadiographError):
            decode_radiograph(data[:length], "a.png")
    decode_radiograph(data, "a.png")


def test_jpeg_truncated_at_any_byte_is_refused():
    data = encode(make_image(2), ".jpg")
    for length in range(1, len(data)):
        with pytest.raises(RadiographError):
            decode_radiograph(data[:length], "a.jpg")
    decode_radiograph(data, "a.jpg")


def test_end_marker_in_a_jpegs_thumbnail_does_not_hide_truncation():
    data = encode(make_image(2), ".jpg")
    thumbnail = encode(make_image(3), ".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    complete = data[:2] + segment + data[2:]
    decode_radiograph(complete, "a.jpg")
    with pytest.raises(RadiographError, match="cut short"):
        decode_radiograph(complete[:-2], "a.jpg")


def test_damaged_png_is_refused():
    data = bytearray(encode(make_image(2)))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(RadiographError, match=r"a\.png: is a damaged PNG"):
        decode_radiograph(bytes(data), "a.png")


def test_jpeg_with_damaged_image_data_is_refused():
    data = bytearray(encode(make_image(2), ".jpg"))
    data[len(data) // 2 : len(data) // 2 + 16] = b"\xff\xd0" * 8
    with pytest.raises(RadiographError, match=r"a\.jpg: is a damaged JPEG: image data is missing"):
        decode_radiograph(bytes(data), "a.jpg")


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("quality", [30, 95])
def test_intact_jpeg_is_bit_identical_to_opencv(colour, quality):
    image = make_image(3, 70, 90)
    encoded_image = np.dstack([image, image // 2, 255 - image]) if colour else image
    data = cv2.imencode(".jpg", encoded_image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert expected is not None
    assert np.array_equal(decode_radiograph(data.tobytes(), "a.jpg"), expected)


def test_more_than_100_megapixels_is_refused_from_the_header_alone():
    # These headers have no image data: decoding could only give another error.
    huge = png_header(10_001, 10_000) + png_chunk(b"IEND", b"")
    with pytest.raises(RadiographError, match="10001 x 10000, more than 100 megapixels"):
        decode_radiograph(huge, "a.png")
    allowed = png_header(10_000, 10_000) + png_chunk(b"IEND", b"")
    with pytest.raises(RadiographError, match="is a damaged PNG"):
        decode_radiograph(allowed, "a.png")


@pytest.mark.parametrize("shape", [(1, 1), (31, 64), (64, 31)])
def test_image_below_32_pixels_per_side_is_refused(tmp_path, shape):
    reason = fails(tmp_path / "a.png", encode(np.zeros(shape, np.uint8)))
    assert reason == f"is {shape[1]} x {shape[0]}, below 32 pixels a side"


def test_animated_png_is_refused():
    data = encode(make_image(0))
    header_end = 8 + 25
    animation = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    with pytest.raises(RadiographError, match="animated PNG"):
        decode_radiograph(data[:header_end] + animation + data[header_end:], "a.png")


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]))
def test_any_bytes_give_an_image_or_a_radiograph_error(data, start):
    assert decodes_or_names_the_file(start + data)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from([".png", ".jpg"]))
def test_one_changed_byte_gives_an_image_or_a_radiograph_error(position, value, suffix):
    data = bytearray(encode(make_image(4), suffix))
    data[position % len(data)] = value
    assert decodes_or_names_the_file(bytes(data))


def test_real_jpegs_that_are_cut_short_are_refused(real_radiographs):
    files = sorted((real_radiographs / "truncated").glob("*.jpg"))
    assert len(files) == 3
    for file in files:
        assert fails(file) == "is cut short: the end of the JPEG is missing"


def test_real_16_bit_radiographs_use_the_whole_range(real_radiographs):
    files = sorted((real_radiographs / "png16").glob("*.png"))
    assert len(files) == 2
    for file in files:
        stored = opencv(file, cv2.IMREAD_UNCHANGED)
        assert stored.dtype == np.uint16
        read = read_radiograph(file)
        assert read.shape == stored.shape
        assert (read.min(), read.max()) == (0, 255)
        # Not saturated, as a plain conversion to 8 bits would be.
        assert np.abs(read / 255 - stored / 65535).max() < 1 / 255


def test_real_jpegs_are_read_as_opencv_reads_them(real_radiographs):
    files = sorted((real_radiographs / "fracatlas_upper_limb/images").glob("*.jpg"))[::100]
    for file in files:
        assert np.array_equal(read_radiograph(file), opencv(file))
