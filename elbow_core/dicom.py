"""One DICOM radiograph as it is meant to be seen: grey, bone bright."""

import io
import warnings

import numpy as np
from jaxtyping import UInt8
from pydicom import FileDataset, dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from elbow_core.grey_levels import scale_to_8_bits
from elbow_core.image_header import HeaderError, ImageHeader

_GREY = ("MONOCHROME1", "MONOCHROME2")


def read_dicom_header(data: bytes) -> ImageHeader:
    """Return type and size; raises `HeaderError` for anything but one grey image."""
    return _header(_parse(data, stop_before_pixels=True))


def decode_dicom(data: bytes) -> UInt8[np.ndarray, "height width"]:
    """Return the image of a DICOM file's bytes, 0 to 255.

    In this order: modality lookup table or rescale; values of interest, by the first table, else
    the first window; MONOCHROME1 turned over, so that bone is bright; the image's own range scaled
    to 0 to 255. Pixels of the padding value become 0. Nothing else of the file is used or kept.

    Raises `HeaderError`, without a subject, where there is no such image or it cannot be decoded.

    Reference: DICOM PS3.3 C.7.6.3, C.11.1 and C.11.2, as `pydicom.pixels` implements them.
    """
    dataset = _parse(data, stop_before_pixels=False)
    _header(dataset)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of values that break the standard and do not matter.
            stored = pixel_array(dataset)
            image = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    except Exception as error:  # Decoders raise whatever they like for damaged data.
        reason = " ".join(str(error).split())[:160]
        raise HeaderError(f"is a DICOM file whose pixels cannot be decoded: {reason}") from error
    image = image.astype(np.float64)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        image = -image
    return scale_to_8_bits(image, _shown(stored, dataset))


def _parse(data: bytes, stop_before_pixels: bool) -> FileDataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(io.BytesIO(data), stop_before_pixels=stop_before_pixels)
    except Exception as error:
        raise HeaderError("is a damaged DICOM file: its header cannot be read") from error


def _header(dataset: FileDataset) -> ImageHeader:
    try:
        height, width = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
        kind = str(dataset.PhotometricInterpretation)
    except (AttributeError, TypeError, ValueError) as error:
        raise HeaderError("is a DICOM file without an image, or cut short before it") from error
    if frames != 1:
        raise HeaderError(f"is a DICOM file of {frames} frames; give one picture")
    if kind not in _GREY:
        raise HeaderError(f"is a {kind} DICOM file; only grey ones ({' or '.join(_GREY)}) are read")
    return ImageHeader("DICOM", height, width, alpha=False)


def _shown(stored: np.ndarray, dataset: FileDataset) -> np.ndarray | None:
    """Return where there is picture, not padding, or None where all is picture."""
    padding = dataset.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    other = limit if isinstance(limit, int) else padding
    return (stored < min(padding, other)) | (stored > max(padding, other))
