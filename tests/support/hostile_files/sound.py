"""Small sound files of each kind that is read."""

import io
from typing import Any

import numpy as np
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from tests.support.dicom_files import RAMP, dicom, table
from tests.support.hostile_files.deflated import deflate
from tests.support.hostile_files.encapsulated_pixels import of_jpeg
from tests.support.hostile_files.jpeg_2000_streams import jpeg_2000, of_jpeg_2000
from tests.support.hostile_files.jpeg_files import jpeg
from tests.support.hostile_files.png_files import png
from tests.support.tiny_images import encode, make_image, png_chunk


def small_files() -> dict[str, bytes]:
    """Return a small sound file of each kind that is read, to be changed."""
    grey = make_image(0)
    tables: dict[str, Any] = {
        "ModalityLUTSequence": [table(np.arange(4096))],
        "VOILUTSequence": [table(np.arange(2000))],
    }
    return {
        "png": encode(grey),
        "png of 16 bits": encode(grey.astype(np.uint16) * 250),
        "png with transparency": encode(np.dstack([grey] * 4)),
        "png with text": png(48, 40, before=png_chunk(b"zTXt", b"a\0\0" + deflate([b"b" * 99]))),
        "jpeg": encode(grey, ".jpg"),
        "jpeg in colour": encode(np.dstack([grey, grey // 2, grey]), ".jpg"),
        "progressive jpeg": jpeg(48, colour=True),
        "jpeg of four colours": _cmyk(grey),
        "dicom": dicom(WindowCenter=1000, WindowWidth=500, PixelPaddingValue=0),
        "dicom with tables": dicom(**tables),
        "deflated dicom": dicom(syntax=DeflatedExplicitVRLittleEndian),
        "dicom by run length": dicom(syntax=RLELossless, PhotometricInterpretation="MONOCHROME1"),
        "dicom of lossless jpeg": dicom(RAMP.astype(np.int16), 13, JPEGLosslessSV1),
        "dicom of jpeg": of_jpeg(encode(grey, ".jpg"), grey),
        "dicom of jpeg 2000": of_jpeg_2000(jpeg_2000()),
        "dicom of jpeg 2000 in a container": of_jpeg_2000(jpeg_2000(container="jp2")),
    }


def _cmyk(grey: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()
