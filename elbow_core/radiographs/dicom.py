"""Decode a DICOM radiograph to grey levels for display, bone bright."""

import io
import logging
import re
import struct
import warnings

import numpy as np
from imagecodecs import Jpeg8Error, jpeg8_decode
from jaxtyping import Shaped, UInt8
from pydicom import FileDataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
)

from elbow_core.radiographs.dicom_levels import apply_modality, apply_voi
from elbow_core.radiographs.grey_levels import scale_to_8_bits
from elbow_core.radiographs.header import HeaderError, ImageHeader, read_jpeg_frame

_GREY = ("MONOCHROME1", "MONOCHROME2")
_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
# Fixed, so that the decoder does not depend on which other packages are installed.
_DECODERS = {JPEG2000: "pylibjpeg", JPEG2000Lossless: "pylibjpeg", RLELossless: "pydicom"}

# pydicom's messages quote tags, which can identify a patient.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def read_dicom_header(data: bytes) -> ImageHeader:
    """Return type and size; raises `HeaderError` for anything but one grey image."""
    return _header(_parse(data, stop_before_pixels=True))


def decode_dicom(data: bytes) -> UInt8[np.ndarray, "height width"]:
    """Return the image of a DICOM file's bytes, 0 to 255.

    Uncompressed, or compressed by run length, JPEG (also lossless) or JPEG 2000. In this order:
    modality lookup table or rescale; VOI lookup table or window; MONOCHROME1 inverted, so that bone
    is bright; the image's own range scaled to 0 to 255. Pixels with the padding value become 0.
    No other tags of the file are used or kept.

    Raises `HeaderError` if there is no such image or it cannot be decoded. The message has no
    subject and quotes no tags.

    Reference: DICOM PS3.3 C.7.6.3, C.11.1 and C.11.2.
    """
    dataset = _parse(data, stop_before_pixels=False)
    _header(dataset)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of values that violate the standard but are not used.
            stored = _stored_levels(dataset)
            image = apply_voi(apply_modality(stored, dataset), dataset)
            shown = _find_shown(stored, dataset)
    except HeaderError:
        raise
    except Exception as error:  # Decoders raise exceptions of any type for damaged data.
        raise HeaderError(
            f"is a DICOM file whose pixels cannot be decoded ({type(error).__name__})"
        ) from error
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(image.max() - image.min())
    if not finite:
        raise HeaderError("is a DICOM file whose rescale or window gives no finite grey levels")
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        image = -image
    return scale_to_8_bits(image, shown)


def _stored_levels(dataset: FileDataset) -> Shaped[np.ndarray, "height width"]:
    """Return the pixels as stored, signed or unsigned integers."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _JPEG:
        return _decode_jpeg(dataset)
    if syntax.is_compressed and syntax.is_encapsulated and syntax not in _DECODERS:
        raise HeaderError(
            f"is a DICOM file compressed as {syntax.name}, which is not supported; "
            "save it uncompressed"
        )
    if syntax in (JPEG2000, JPEG2000Lossless):
        stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
        _check_stream_size(_jpeg_2000_size(stream), dataset)
    return pixel_array(dataset, decoding_plugin=_DECODERS.get(syntax, ""))


def _check_stream_size(size: tuple[int, int], dataset: FileDataset) -> None:
    """Raise `HeaderError` if the sizes differ: a damaged stream may request gigabytes."""
    if size != (dataset.Rows, dataset.Columns):
        raise HeaderError(
            f"is a DICOM file whose pixels are {size[1]} x {size[0]}, but whose header gives "
            f"{dataset.Columns} x {dataset.Rows}"
        )


def _jpeg_2000_size(stream: bytes) -> tuple[int, int]:
    """Return height and width from the SIZ segment of the codestream (T.800 annex A)."""
    start = stream.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(stream) < start + 24:
        raise HeaderError("is a DICOM file whose JPEG 2000 stream has no header")
    width, height, left, top = struct.unpack_from(">4I", stream, start + 8)
    return height - top, width - left


def _decode_jpeg(dataset: FileDataset) -> Shaped[np.ndarray, "height width"]:
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    bits, height, width = read_jpeg_frame(frame)
    _check_stream_size((height, width), dataset)
    try:
        levels = jpeg8_decode(frame)
    except Jpeg8Error as error:
        raise HeaderError("is a DICOM file whose JPEG is damaged") from error
    if levels.shape != (height, width):
        raise HeaderError("is a DICOM file whose JPEG is not grey")
    if dataset.PixelRepresentation == 0:
        return levels
    # The stream contains bit patterns: the upper half of the range is negative.
    wide = levels.astype(np.int32)
    return np.where(wide >= 1 << (bits - 1), wide - (1 << bits), wide)


def _parse(data: bytes, stop_before_pixels: bool) -> FileDataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(io.BytesIO(data), stop_before_pixels=stop_before_pixels)
    except Exception as error:
        raise HeaderError("is a damaged DICOM file: its header cannot be read") from error


def _header(dataset: FileDataset) -> ImageHeader:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            height, width = int(dataset.Rows), int(dataset.Columns)
            frames = int(dataset.get("NumberOfFrames") or 1)
            kind = str(dataset.PhotometricInterpretation)
    except Exception as error:  # Elements are parsed on access, and may contain anything.
        raise HeaderError("is a DICOM file without an image, or cut short before it") from error
    if frames != 1:
        raise HeaderError(f"is a DICOM file of {frames} frames; give one image")
    if kind not in _GREY:
        named = kind if re.fullmatch("[A-Z0-9_ ]{1,16}", kind) else "damaged"
        raise HeaderError(
            f"is a {named} DICOM file; only grey ones ({' or '.join(_GREY)}) are supported"
        )
    return ImageHeader("DICOM", height, width, alpha=False)


def _find_shown(stored: np.ndarray, dataset: FileDataset) -> np.ndarray | None:
    """Return the mask of pixels that are not padding, or None if there is no padding."""
    padding = dataset.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    range_end = limit if isinstance(limit, int) else padding
    return (stored < min(padding, range_end)) | (stored > max(padding, range_end))
