"""PNG and JPEG: upright, grey, the file's own levels; sound JPEGs that libjpeg warns of."""

import io
import itertools
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from elbow_core.errors import RadiographError
from elbow_core.radiographs import decode_radiograph
from tests.support.tiny_images import encode, make_image

PICTURE = make_image(3, 48, 70)
ORIENTATIONS = range(1, 9)


def exif(orientation: int, order: str = "<") -> bytes:
    """Return a TIFF structure with the orientation alone, in either byte order."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return magic + struct.pack(f"{order}IH", 8, 1) + entry + struct.pack(f"{order}I", 0)


def with_exif(data: bytes, tiff: bytes) -> bytes:
    """Return a JPEG with an Exif segment, or a PNG with an eXIf chunk."""
    if data.startswith(b"\xff\xd8"):
        segment = b"Exif\0\0" + tiff
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    chunk = b"eXIf" + tiff
    crc = struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + struct.pack(">I", len(tiff)) + chunk + crc + data[33:]


def save(mode: str, kind: str) -> bytes:
    grey = Image.fromarray(PICTURE)
    alpha = Image.fromarray(
        np.where(np.arange(70) < 20, 128, 255).astype(np.uint8)[None].repeat(48, 0)
    )
    match mode:
        case "LA" | "RGBA":
            image = grey.convert(mode)
            image.putalpha(alpha)
        case "P":
            image = grey.convert("RGB").quantize(64)
        case "I;16":
            image = Image.fromarray(PICTURE.astype(np.uint16) * 257)
        case "1":
            image = grey.convert("1")
        case "CMYK":
            image = grey.convert("RGB").convert("CMYK")
        case _:
            image = grey.convert(mode)
    data = io.BytesIO()
    image.save(data, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return data.getvalue()


def expected(data: bytes) -> np.ndarray:
    """Return what Pillow shows: upright, colour as luma, transparency over black."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode == "I;16":
        levels = np.asarray(image).astype(float)
        return np.rint((levels - levels.min()) * 255 / (levels.max() - levels.min()))
    if image.mode in ("LA", "RGBA", "PA"):
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image.convert("RGB").convert("L")).astype(float)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *itertools.product(("L", "LA", "RGB", "RGBA", "P", "I;16", "1"), ("PNG",)),
        *itertools.product(("L", "RGB", "CMYK"), ("JPEG",)),
    ],
)
def test_picture_is_upright_grey_and_of_its_own_levels(mode, kind, orientation):
    data = with_exif(save(mode, kind), exif(orientation))
    image, wanted = decode_radiograph(data, "a"), expected(data)
    assert image.shape == wanted.shape == ((70, 48) if orientation > 4 else (48, 70))
    assert np.abs(image - wanted).max() <= (4 if kind == "JPEG" else 1)
    assert np.corrcoef(image.ravel(), wanted.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_of_either_byte_order_is_read(order):
    data = encode(PICTURE)
    turned = decode_radiograph(with_exif(data, exif(6, order)), "a")
    assert np.array_equal(turned, np.rot90(PICTURE, -1))


@pytest.mark.parametrize(
    "tiff",
    [b"", b"II*\0", exif(0), exif(9), exif(6)[:14], b"XX" + exif(6)[2:], exif(6)[:4] + b"\xff" * 4],
)
def test_damaged_exif_turns_nothing(tiff):
    assert np.array_equal(decode_radiograph(with_exif(encode(PICTURE), tiff), "a"), PICTURE)


def jpeg(**options) -> bytes:
    data = io.BytesIO()
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noisy).save(data, "JPEG", quality=95, **options)
    return data.getvalue()


PLAIN = jpeg()
PROGRESSIVE = jpeg(progressive=True)
RESTARTED = jpeg(restart_marker_blocks=8)
SCAN = PLAIN.index(b"\xff\xda")
RESTARTS = [match.start() for match in re.finditer(b"\xff[\xd0-\xd7]", RESTARTED)]
SCANS = [match.start() for match in re.finditer(b"\xff\xda", PROGRESSIVE)]
PROFILE = b"ICC_PROFILE\0\1\1" + bytes(40)
PROFILE = b"\xff\xe2" + struct.pack(">H", len(PROFILE) + 2) + PROFILE
SOUND = {
    "wrong last coefficient": (PLAIN, PLAIN[: SCAN + 8] + b"\0" + PLAIN[SCAN + 9 :]),
    "wrong approximation": (PLAIN, PLAIN[: SCAN + 9] + b"\x11" + PLAIN[SCAN + 10 :]),
    "bytes before the end": (PLAIN, PLAIN[:-2] + b"\x55" * 16 + PLAIN[-2:]),
    "both": (
        PLAIN,
        PLAIN[: SCAN + 8] + b"\0" + PLAIN[SCAN + 9 : -2] + b"\x55" * 16 + PLAIN[-2:],
    ),
    "fill bytes": (PLAIN, PLAIN[:-2] + b"\xff" * 5 + PLAIN[-2:]),
    "bytes after the end": (PLAIN, PLAIN + b"more" * 99),
    "bytes between segments": (PLAIN, PLAIN[:2] + b"abc" + PLAIN[2:SCAN] + b"def" + PLAIN[SCAN:]),
    "doubled profile": (PLAIN, PLAIN[:2] + PROFILE * 2 + PLAIN[2:]),
    "unknown JFIF version": (PLAIN, PLAIN.replace(b"JFIF\0\1", b"JFIF\0\7")),
    "no JFIF segment": (PLAIN, PLAIN[:2] + PLAIN[20:]),
    "bytes before a scan": (
        PROGRESSIVE,
        PROGRESSIVE[: SCANS[3]] + b"\x55" * 9 + PROGRESSIVE[SCANS[3] :],
    ),
    "bytes before two scans": (
        PROGRESSIVE,
        PROGRESSIVE[: SCANS[2]]
        + b"\x55" * 9
        + PROGRESSIVE[SCANS[2] : SCANS[3]]
        + b"\x55" * 9
        + PROGRESSIVE[SCANS[3] :],
    ),
}
LOSSY = {
    "no end": PLAIN[:-2],
    "half of the scan": PLAIN[: (SCAN + len(PLAIN)) // 2] + PLAIN[-2:],
    "wrong last coefficient and half of the scan": PLAIN[: SCAN + 8]
    + b"\0"
    + PLAIN[SCAN + 9 : (SCAN + len(PLAIN)) // 2]
    + PLAIN[-2:],
    "half of a progressive scan": PROGRESSIVE[: SCANS[3] - 40] + PROGRESSIVE[SCANS[3] :],
    "stray bytes, then half of a scan": PROGRESSIVE[: SCANS[2]]
    + b"\x55" * 9
    + PROGRESSIVE[SCANS[2] : SCANS[3] - 40]
    + PROGRESSIVE[SCANS[3] :],
    "no restart": RESTARTED[: RESTARTS[2]] + RESTARTED[RESTARTS[2] + 2 :],
    "part of an interval": RESTARTED[: RESTARTS[2] - 20] + RESTARTED[RESTARTS[2] :],
    "no tables": PLAIN[:2] + PLAIN[PLAIN.index(b"\xff\xc0") :],
    "no frame": PLAIN[: PLAIN.index(b"\xff\xc0")] + PLAIN[PLAIN.index(b"\xff\xc4") :],
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_jpeg_is_read_whatever_libjpeg_warns_of(name):
    plain, data = SOUND[name]
    true = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert true is not None
    assert np.array_equal(decode_radiograph(data, "a.jpg"), true)


@pytest.mark.parametrize("name", LOSSY)
def test_jpeg_that_lost_image_data_is_refused(name):
    with pytest.raises(RadiographError, match=r"^a.jpg: is (a damaged JPEG|cut short): "):
        decode_radiograph(LOSSY[name], "a.jpg")
