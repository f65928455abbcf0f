"""Bad and unusual files from hospitals and downloads: read, or refused with a reason."""

import csv
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elbow_core.dataset import read_manifest
from elbow_core.errors import RadiographError
from elbow_core.prepare import DataConfig, FractionSplit, prepare
from elbow_core.radiographs import Preprocessing, read_radiograph
from elbow_core.sources import FolderSource
from tests.support.dicom_files import RAMP, dicom
from tests.support.tiny_images import encode, make_image, png_chunk, png_header, write


def pillow(kind: str, mode: str, **options: object) -> bytes:
    grey = Image.fromarray(make_image(5, 64, 64))
    image = grey.convert("P") if mode == "P" else grey.convert("RGB").convert(mode)
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(make_image(seed, 64, 64)) for seed in range(3)]
    data = io.BytesIO()
    frames[0].save(data, kind, save_all=True, append_images=frames[1:])
    return data.getvalue()


def black_png(width: int, height: int) -> bytes:
    """Return a valid PNG of zeros, which is a small file for any size of image."""
    compressor = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(compressor.compress(row * 1000) for _ in range(height // 1000))
    image_data = rows + compressor.flush()
    header = png_header(width, height, bits=1)
    return header + png_chunk(b"IDAT", image_data) + png_chunk(b"IEND", b"")


def resized_jpeg(height: int, width: int) -> bytes:
    """Return a JPEG with a wrong size in its header."""
    data = bytearray(encode(make_image(0), ".jpg"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


BAD = {
    "empty.png": (b"", "is empty"),
    "truncated.png": (encode(make_image(0))[:-20], "is cut short: the end of the PNG is missing"),
    "truncated.jpg": (
        encode(make_image(0), ".jpg")[:-20],
        "is cut short: the end of the JPEG is missing",
    ),
    "truncated.dcm": (dicom(RAMP)[:-20], "is a DICOM file whose pixels cannot be decoded"),
    "text.png": (b"this is a text, named as an image\n" * 9, "is not an image: neither PNG, JPEG"),
    "zero_width.png": (png_header(0, 48) + png_chunk(b"IEND", b""), "is 0 x 48, below 32 pixels"),
    "zero_height.jpg": (resized_jpeg(0, 40), "is 40 x 0, below 32 pixels a side"),
    "one_pixel.png": (encode(np.zeros((1, 1), np.uint8)), "is 1 x 1, below 32 pixels a side"),
    "one_pixel.dcm": (dicom(RAMP[:1, :1]), "is 1 x 1, below 32 pixels a side"),
    "200_megapixels.png": (black_png(20_000, 10_000), "is 20000 x 10000, more than 100 megapixels"),
    "200_megapixels.jpg": (resized_jpeg(10_000, 20_000), "is 20000 x 10000, more than 100 mega"),
    "animated.png": (animated("PNG"), "is an animated PNG; give one image"),
    "animated_gif.png": (animated("GIF"), "is a GIF file; convert it"),
    "animated_webp.png": (animated("WEBP"), "is a WebP or other RIFF file; convert it"),
    "tiff.png": (pillow("TIFF", "L"), "is a TIFF file; convert it"),
    "frames.dcm": (dicom(np.stack([RAMP, RAMP]), NumberOfFrames=2), "is a DICOM file of 2 frames"),
    "colour.dcm": (dicom(PhotometricInterpretation="RGB"), "is a RGB DICOM file; only grey ones"),
}
GOOD = {
    "sixteen_bits.png": encode(make_image(5, 64, 64).astype(np.uint16) * 257),
    "transparent.png": pillow("PNG", "RGBA"),
    "palette.png": pillow("PNG", "P"),
    "colour.jpg": pillow("JPEG", "RGB", quality=95),
    "cmyk.jpg": pillow("JPEG", "CMYK", quality=95),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_with_its_reason(tmp_path, name):
    data, reason = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RadiographError) as caught:
        read_radiograph(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_unusual_file_has_the_expected_grey_levels(tmp_path, name):
    (tmp_path / name).write_bytes(GOOD[name])
    expected = make_image(5, 64, 64).astype(float)
    if name == "sixteen_bits.png":  # Scaled by its own range.
        expected = (expected - expected.min()) * 255 / (expected.max() - expected.min())
    difference = read_radiograph(tmp_path / name) - expected
    assert np.abs(difference).max() <= (16 if name.endswith(".jpg") else 1)
    assert np.abs(difference).mean() < 2


# What `prepare` says, which reads the tags first.
CHANGED_BY_SELECTION = {"frames.dcm": "has several frames; one image is needed"}


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_files_are_rejected_and_the_rest_is_prepared(tmp_path, workers):
    root: Path = tmp_path / "root"
    for number in range(24):
        write(root / ("normal", "injury")[number % 2] / f"{number}.png", make_image(number))
    for name, (data, _) in BAD.items():
        (root / "normal" / name).write_bytes(data)
    for name, data in GOOD.items():
        (root / "injury" / name).write_bytes(data)
    config = DataConfig(
        source=FolderSource(classes={"normal": 0, "injury": 1}),
        root=root,
        out=tmp_path / "out",
        preprocess=Preprocessing(size=32, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        workers=workers,
    )
    prepare(config)
    assert len(read_manifest(config.out / "manifest.csv")) == 24 + len(GOOD)
    with (config.out / "rejected.csv").open(newline="") as file:
        rejected = {line["path"]: line["reason"] for line in csv.DictReader(file)}
    assert rejected.keys() == {f"normal/{name}" for name in BAD}
    for name, (_, reason) in BAD.items():
        expected = CHANGED_BY_SELECTION.get(name, reason)
        assert rejected[f"normal/{name}"].startswith(expected)
