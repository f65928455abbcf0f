"""The grey level pipeline of DICOM: modality transformation, then VOI transformation."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped
from pydicom import Dataset

Levels = Float64[np.ndarray, "height width"]


def apply_modality(stored: Shaped[np.ndarray, "height width"], dataset: Dataset) -> Levels:
    """Apply the modality transformation: the lookup table if present, else the rescale.

    Reference: DICOM PS3.3 C.11.1.
    """
    if dataset.get("ModalityLUTSequence"):
        return _look_up(stored, dataset.ModalityLUTSequence[0])
    if dataset.get("RescaleSlope") is None or dataset.get("RescaleIntercept") is None:
        return stored.astype(np.float64)
    return stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def apply_voi(levels: Levels, dataset: Dataset) -> Levels:
    """Apply the VOI transformation: the first lookup table if present, else the first window.

    A window gives 0 to 1, increasing whatever the slope of the rescale. (With a negative slope
    `pydicom.pixels.apply_windowing` inverts the image.) Raises `ValueError` for a window without
    width.

    Reference: DICOM PS3.3 C.11.2.
    """
    if dataset.get("VOILUTSequence"):
        return _look_up(levels, dataset.VOILUTSequence[0])
    if dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None:
        return levels
    centre, width = _first(dataset.WindowCenter), _first(dataset.WindowWidth)
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if width <= 0 or (width < 1 and function == "LINEAR"):
        raise ValueError("a window without width")
    match function:
        case "LINEAR":
            # A width of 1 is a step: levels up to centre - 0.5 are black.
            shown = (levels - (centre - 0.5)) / max(width - 1, sys.float_info.min) + 0.5
            return np.clip(np.where(levels <= centre - 0.5 - (width - 1) / 2, 0.0, shown), 0.0, 1.0)
        case "LINEAR_EXACT":
            return np.clip((levels - centre) / width + 0.5, 0.0, 1.0)
        case "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (levels - centre) / width, -700.0, 700.0)))
    raise ValueError("an unknown window function")


def _look_up(levels: Shaped[np.ndarray, "height width"], table: Dataset) -> Levels:
    """Look levels up in a table; levels outside it get its first or last entry."""
    count, first, _ = table.LUTDescriptor
    count = count % 65536 or 65536  # 0 means 65536, and a reader may return it as signed.
    entries = table.LUTData
    if isinstance(entries, bytes):
        is_little_endian = table.original_encoding[1] is not False
        entries = np.frombuffer(entries, "<u2" if is_little_endian else ">u2")
    entries = np.asarray(entries, np.float64)[:count]
    if len(entries) < count:
        raise ValueError("a lookup table that is cut short")
    position = np.clip(np.floor(levels.astype(np.float64)) - first, 0, count - 1)
    return entries[position.astype(np.int64)]


def _first(value: Any) -> float:
    """Return the first value of an element with one or several."""
    return float(value[0] if isinstance(value, Sequence) else value)
