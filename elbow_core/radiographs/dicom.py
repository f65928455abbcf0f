"""One DICOM radiograph as it is meant to be seen: grey, bone bright."""

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

from elbow_core.radiographs.dicom_levels import apply_interest, apply_modality
from elbow_core.radiographs.grey_levels import scale_to_8_bits
from elbow_core.radiographs.header import HeaderError, ImageHeader, read_jpeg_frame

_GREY = ("MONOCHROME1", "MONOCHROME2")
_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
# Named, so that what happens to be installed beside does not decide who decodes.
_DECODERS = {JPEG2000: "pylibjpeg", JPEG2000Lossless: "pylibjpeg", RLELossless: "pydicom"}

# Its messages quote the tags that they complain of, and a patient's name is a tag.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def read_dicom_header(data: bytes) -> ImageHeader:
    """Return type and size; raises `HeaderError` for anything but one grey image."""
    return _header(_parse(data, stop_before_pixels=True))


def decode_dicom(data: bytes) -> UInt8[np.ndarray, "height width"]:
    """Return the image of a DICOM file's bytes, 0 to 255.

    Uncompressed, or compressed by run length, JPEG (lossless too) or JPEG 2000. In this order:
    modality lookup table or rescale; values of interest, by the first table, else the first window;
    MONOCHROME1 turned over, so that bone is bright; the image's own range scaled to 0 to 255.
    Pixels of the padding value become 0. Nothing else of the file is used or kept.

    Raises `HeaderError`, without a subject and without a word from the file's tags, where there is
    no such image or it cannot be decoded.

    Reference: DICOM PS3.3 C.7.6.3, C.11.1 and C.11.2.
    """
    dataset = _parse(data, stop_before_pixels=False)
    _header(dataset)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of values that break the standard and do not matter.
            stored = _stored_levels(dataset)
            image = apply_interest(apply_modality(stored, dataset), dataset)
            shown = _shown(stored, dataset)
    except HeaderError:
        raise
    except Exception as error:  # Decoders raise whatever they like for damaged data.
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
    """Return the pixels as they are stored, whole numbers with or without a sign."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _JPEG:
        return _decode_jpeg(dataset)
    if syntax.is_compressed and syntax.is_encapsulated and syntax not in _DECODERS:
        raise HeaderError(
            f"is a DICOM file compressed as {syntax.name}, which is not read; save it uncompressed"
        )
    if syntax in (JPEG2000, JPEG2000Lossless):
        stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
        _check_stream_size(_jpeg_2000_size(stream), dataset)
    return pixel_array(dataset, decoding_plugin=_DECODERS.get(syntax, ""))


def _check_stream_size(size: tuple[int, int], dataset: FileDataset) -> None:
    """Refuse a stream of another size than the header's: a damaged one may claim gigabytes."""
    if size != (dataset.Rows, dataset.Columns):
        raise HeaderError(
            f"is a DICOM file whose pixels are {size[1]} x {size[0]} where its header says "
            f"{dataset.Columns} x {dataset.Rows}"
        )


def _jpeg_2000_size(stream: bytes) -> tuple[int, int]:
    """Return height and width as the codestream's SIZ segment has them (T.800 annex A)."""
    at = stream.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(stream) < at + 24:
        raise HeaderError("is a DICOM file whose JPEG 2000 stream has no header")
    width, height, left, top = struct.unpack_from(">4I", stream, at + 8)
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
    # The stream holds bit patterns: what lies in the upper half is negative.
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
    except Exception as error:  # Elements are read when asked for, and may hold anything.
        raise HeaderError("is a DICOM file without an image, or cut short before it") from error
    if frames != 1:
        raise HeaderError(f"is a DICOM file of {frames} frames; give one picture")
    if kind not in _GREY:
        named = kind if re.fullmatch("[A-Z0-9_ ]{1,16}", kind) else "damaged"
        raise HeaderError(
            f"is a {named} DICOM file; only grey ones ({' or '.join(_GREY)}) are read"
        )
    return ImageHeader("DICOM", height, width, alpha=False)


def _shown(stored: np.ndarray, dataset: FileDataset) -> np.ndarray | None:
    """Return where there is picture, not padding, or None where all is picture."""
    padding = dataset.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else padding
    return (stored < min(padding, other)) | (stored > max(padding, other))
