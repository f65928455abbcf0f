"""Pixels that a DICOM file declares as padding, and not as part of the image."""

import numpy as np
from jaxtyping import Bool
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from elbow_core.radiographs.dicom.pixels import PixelFormat, Words
from elbow_core.radiographs.dicom.values import describe_tag, unpack
from elbow_core.radiographs.header import HeaderError


def find_shown(
    words: Words, pixels: Words, form: PixelFormat, dataset: Dataset
) -> Bool[np.ndarray, "..."] | None:
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
