"""Decode a DICOM radiograph to grey levels for display, bone bright."""

import io
import logging
import re
import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataelem import RawDataElement

from elbow_core.radiographs.dicom.levels import apply_modality, apply_voi
from elbow_core.radiographs.dicom.pixels import (
    PixelFormat,
    Words,
    decode_words,
    read_pixel_format,
)
from elbow_core.radiographs.dicom.values import (
    describe_tag,
    read_integer,
    read_number,
    unpack,
)
from elbow_core.radiographs.grey_levels import scale_to_8_bits
from elbow_core.radiographs.header import HeaderError, ImageHeader

_GREY = ("MONOCHROME1", "MONOCHROME2")

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

    Raises `HeaderError` if there is no such image, if it cannot be decoded, if pixels and header
    contradict each other, or if a single grey level is left. The message has no subject; it names
    the tag that is wrong and quotes its value only where that is a number or a keyword.

    Reference: DICOM PS3.3 C.7.6.3, C.11.1 and C.11.2.
    """
    dataset = _parse(data, stop_before_pixels=False)
    kind = _header(dataset).photometric
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of values that violate the standard but are not used.
            form = read_pixel_format(dataset)
            words = decode_words(dataset, form)
            pixels = form.pixels_of(words)
            shown = _find_shown(words, pixels, form, dataset)
            if (pixels if shown is None else pixels[shown]).size == 0:
                raise HeaderError("is a DICOM file of padding alone")
            with np.errstate(over="ignore", invalid="ignore"):
                levels, limits = apply_modality(pixels, form.limits, dataset)
                image = apply_voi(levels, limits, dataset)
                finite = np.isfinite(image.max() - image.min())
    except HeaderError:
        raise
    except Exception as error:  # Decoders raise exceptions of any type for damaged data.
        raise HeaderError(
            f"is a DICOM file whose pixels cannot be decoded ({type(error).__name__})"
        ) from error
    if not finite:
        raise HeaderError("is a DICOM file whose rescale or window gives no finite grey levels")
    return scale_to_8_bits(-image if kind == "MONOCHROME1" else image, shown)


def _parse(data: bytes, stop_before_pixels: bool) -> FileDataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(io.BytesIO(data), stop_before_pixels=stop_before_pixels)
    except Exception as error:
        raise HeaderError("is a damaged DICOM file: its header cannot be read") from error


def _header(dataset: FileDataset) -> "_DicomHeader":
    """Return type, size and kind; raises `HeaderError` for anything but one grey image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = str(dataset.PhotometricInterpretation).strip().upper()
            present = all(dataset.get_item(name).value for name in ("Rows", "Columns"))
    except Exception as error:  # Elements are parsed on access, and may contain anything.
        raise HeaderError("is a DICOM file without an image, or cut short before it") from error
    if not present:
        raise HeaderError("is a DICOM file without an image, or cut short before it")
    frames = read_number(dataset, "NumberOfFrames") or 1
    if frames != 1:
        raise HeaderError(f"is a DICOM file of {frames:g} frames; give one image")
    if kind not in _GREY:
        named = kind if re.fullmatch("[A-Z0-9_ ]{1,16}", kind) else "damaged"
        raise HeaderError(
            f"is a {named} DICOM file; only grey ones ({' or '.join(_GREY)}) are supported"
        )
    height, width = read_integer(dataset, "Rows"), read_integer(dataset, "Columns")
    return _DicomHeader("DICOM", height, width, alpha=False, photometric=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DicomHeader(ImageHeader):
    """The header of a grey DICOM image."""

    photometric: str


def _find_shown(
    words: Words, pixels: Words, form: PixelFormat, dataset: Dataset
) -> Bool[np.ndarray, "height width"] | None:
    """Return the mask of pixels that are not padding, or None if no padding is declared.

    The padding has the type of the pixels. One that their bits cannot hold stands in the whole
    word (PS3.3 C.7.5.1.1.2).
    """
    ends = [
        _read_padding(dataset, name, form)
        for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ]
    padding, limit = ends[0], ends[0] if ends[1] is None else ends[1]
    if padding is None or limit is None:
        return None
    low, high = min(padding, limit), max(padding, limit)
    lowest, highest = form.limits
    if low < lowest or high > highest:
        whole = PixelFormat(
            form.rows, form.columns, form.allocated, form.allocated, form.allocated - 1, form.signed
        )
        pixels = whole.pixels_of(words)
    return (pixels < low) | (pixels > high)


def _read_padding(dataset: Dataset, keyword: str, form: PixelFormat) -> int | None:
    element = dataset.get_item(keyword)
    if not isinstance(element, RawDataElement) or not element.value:
        return None
    values = unpack(element, "H", keyword)
    if len(values) != 1:
        raise HeaderError(f"is a DICOM file whose {describe_tag(keyword)} has {len(values)} values")
    (value,) = values
    if not form.signed:
        return value
    if value >= 32768:
        return value - 65536
    is_short = form.limits[1] < value < 1 << form.stored  # the sign is not repeated above its bit
    return value - (1 << form.stored) if is_short else value
