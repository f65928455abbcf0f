"""Decode a DICOM radiograph to grey levels for display, bone bright."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from pydicom import Dataset

from elbow_core.radiographs.dicom.levels import Levels, apply_modality, apply_voi, read_window
from elbow_core.radiographs.dicom.padding import find_shown
from elbow_core.radiographs.dicom.parsing import DicomFile, parse_dicom
from elbow_core.radiographs.dicom.pixels import (
    PixelFormat,
    Words,
    decode_words,
    read_pixel_format,
)
from elbow_core.radiographs.dicom.values import read_integer, read_number
from elbow_core.radiographs.grey_levels import row_strips, scale_levels
from elbow_core.radiographs.header import NOT_OF_THE_FILE, HeaderError, ImageHeader

_GREY = ("MONOCHROME1", "MONOCHROME2")


def read_dicom_header(data: bytes) -> ImageHeader:
    """Return type and size; raises `HeaderError` for anything but one grey image."""
    return _header(parse_dicom(data, with_pixels=False))


def decode_dicom(data: bytes) -> UInt8[np.ndarray, "height width"]:
    """Return the image of a DICOM file's bytes, 0 to 255.

    Uncompressed, or compressed by run length, JPEG (also lossless) or JPEG 2000. In this order:
    modality lookup table or rescale; VOI lookup table or window; MONOCHROME1 inverted, so that bone
    is bright; the image's own range scaled to 0 to 255. Pixels with the padding value become 0.
    No other tags of the file are used or kept.

    Raises `HeaderError` if there is no such image, if it cannot be decoded, if pixels and header
    contradict each other, or if a single grey level is left. The message has no subject; it names
    the tag that is wrong and quotes its value only where that is a number or a keyword. The caller
    has checked the size by `read_dicom_header`.

    Reference: DICOM PS3.3 C.7.6.3, C.11.1 and C.11.2.
    """
    file = parse_dicom(data, with_pixels=True)
    kind = _header(file).photometric
    try:
        with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
            warnings.simplefilter("ignore")  # Of values that violate the standard but are not used.
            form = read_pixel_format(file.dataset)
            words = decode_words(file, form)
            return _show(words, _Pipeline(form, file.dataset, inverted=kind == "MONOCHROME1"))
    except (HeaderError, *NOT_OF_THE_FILE):
        raise
    except Exception as error:  # Decoders raise exceptions of any type for damaged data.
        raise HeaderError(
            f"is a DICOM file whose pixels cannot be decoded ({type(error).__name__})"
        ) from error


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """What turns words into levels for display, each word by itself."""

    form: PixelFormat
    dataset: Dataset
    inverted: bool

    def apply(self, words: Words) -> tuple[Levels, Levels, Bool[np.ndarray, "..."] | None]:
        """Return levels after modality and after VOI transformation, and which are no padding."""
        pixels = self.form.pixels_of(words)
        levels, limits = apply_modality(pixels, self.form.limits, self.dataset)
        image = apply_voi(levels, limits, self.dataset)
        shown = find_shown(words, pixels, self.form, self.dataset)
        return levels, -image if self.inverted else image, shown


def _show(words: Words, pipeline: _Pipeline) -> UInt8[np.ndarray, "height width"]:
    """Return the grey levels of an image's words.

    Equal words have equal levels. So words of up to 16 bits pass the pipeline once for each value
    that occurs, and larger ones in strips: copies of the whole image would take gigabytes.
    """
    if words.dtype.itemsize <= 2:
        occurs = np.zeros(1 << 8 * words.dtype.itemsize, bool)
        for rows in row_strips(*words.shape):
            occurs[words[rows]] = True
        parts = [np.flatnonzero(occurs).astype(words.dtype)]
    else:
        parts = [words[rows] for rows in row_strips(*words.shape)]
    low, high = _find_range(parts, pipeline)
    grey = np.empty(words.shape, np.uint8)
    if words.dtype.itemsize <= 2:
        table = np.zeros(len(occurs), np.uint8)
        table[parts[0]] = next(_scale(parts, pipeline, low, high))
        for rows in row_strips(*words.shape):
            grey[rows] = table[words[rows]]
    else:
        scaled = _scale(parts, pipeline, low, high)
        for rows, part in zip(row_strips(*words.shape), scaled, strict=True):
            grey[rows] = part
    return grey


def _find_range(parts: list[np.ndarray], pipeline: _Pipeline) -> tuple[float, float]:
    """Return the lowest and highest level that is shown; raises `HeaderError` for no range."""
    level_ends, image_ends, shown_ends = [], [], []
    for part in parts:
        levels, image, shown = pipeline.apply(part)
        level_ends += [levels.min(), levels.max()]
        image_ends += [image.min(), image.max()]
        image = image if shown is None else image[shown]
        shown_ends += [image.min(), image.max()] if image.size else []
    if not shown_ends:
        raise HeaderError("is a DICOM file of padding alone")
    # NumPy's minimum, unlike Python's, keeps NaN.
    lowest, highest = np.min(level_ends), np.max(level_ends)
    darkest, brightest = np.min(image_ends), np.max(image_ends)
    window = read_window(pipeline.dataset)
    if window is not None and darkest == brightest and lowest != highest:
        raise HeaderError(
            f"is a DICOM file whose window ({window[0]:g}, width {window[1]:g}) holds none of its "
            f"levels ({lowest:g} to {highest:g})"
        )
    if not np.isfinite(brightest - darkest):
        raise HeaderError("is a DICOM file whose rescale or window gives no finite grey levels")
    return float(np.min(shown_ends)), float(np.max(shown_ends))


def _scale(
    parts: list[np.ndarray], pipeline: _Pipeline, low: float, high: float
) -> Iterator[UInt8[np.ndarray, "..."]]:
    for part in parts:
        _, image, shown = pipeline.apply(part)
        if shown is None:
            yield scale_levels(image, low, high)
        else:
            yield np.where(shown, scale_levels(np.where(shown, image, low), low, high), np.uint8(0))


def _header(file: DicomFile) -> "_DicomHeader":
    """Return type, size and kind; raises `HeaderError` for anything but one grey image."""
    dataset = file.dataset
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = str(dataset.PhotometricInterpretation).strip().upper()
            present = all(dataset.get_item(name).value for name in ("Rows", "Columns"))
    except NOT_OF_THE_FILE:
        raise
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
    word_bytes = max(1, min(4, int(read_number(dataset, "BitsAllocated") or 16) // 8))
    # The value, its words, and an integer of 4 bytes for each in the decoder of JPEG 2000.
    return _DicomHeader(
        "DICOM",
        height,
        width,
        alpha=False,
        decoder_bytes=4 + 2 * word_bytes,
        photometric=kind,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _DicomHeader(ImageHeader):
    """The header of a grey DICOM image."""

    photometric: str
