"""The grey levels that a DICOM image means: its modality's units, then the values of interest."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped
from pydicom import Dataset

Levels = Float64[np.ndarray, "height width"]


def apply_modality(stored: Shaped[np.ndarray, "height width"], dataset: Dataset) -> Levels:
    """Return stored values in the modality's units: by its lookup table, else by its rescale.

    Reference: DICOM PS3.3 C.11.1.
    """
    if dataset.get("ModalityLUTSequence"):
        return _look_up(stored, dataset.ModalityLUTSequence[0])
    if dataset.get("RescaleSlope") is None or dataset.get("RescaleIntercept") is None:
        return stored.astype(np.float64)
    return stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def apply_interest(levels: Levels, dataset: Dataset) -> Levels:
    """Return levels as the values of interest show them: by the first table, else the first window.

    A window gives 0 to 1, rising whatever the slope that the levels came by, which
    `pydicom.pixels.apply_windowing` does not: where the rescale falls it turns the picture over.
    Raises `ValueError` for a window of no width.

    Reference: DICOM PS3.3 C.11.2.
    """
    if dataset.get("VOILUTSequence"):
        return _look_up(levels, dataset.VOILUTSequence[0])
    if dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None:
        return levels
    centre, width = _first(dataset.WindowCenter), _first(dataset.WindowWidth)
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if width <= 0 or (width < 1 and function == "LINEAR"):
        raise ValueError("a window of no width")
    match function:
        case "LINEAR":
            # A width of 1 is a step: all up to centre - 0.5 is black.
            shown = (levels - (centre - 0.5)) / max(width - 1, sys.float_info.min) + 0.5
            return np.clip(np.where(levels <= centre - 0.5 - (width - 1) / 2, 0.0, shown), 0.0, 1.0)
        case "LINEAR_EXACT":
            return np.clip((levels - centre) / width + 0.5, 0.0, 1.0)
        case "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (levels - centre) / width, -700.0, 700.0)))
    raise ValueError("an unknown window function")


def _look_up(levels: Shaped[np.ndarray, "height width"], table: Dataset) -> Levels:
    """Return a table's entries at these levels, its first before it and its last after it."""
    count, first, _ = table.LUTDescriptor
    count = count % 65536 or 65536  # 0 stands for 65536, and a reader may have taken it as signed.
    entries = table.LUTData
    if isinstance(entries, bytes):
        little = table.original_encoding[1] is not False
        entries = np.frombuffer(entries, "<u2" if little else ">u2")
    entries = np.asarray(entries, np.float64)[:count]
    if len(entries) < count:
        raise ValueError("a lookup table that is cut short")
    position = np.clip(np.floor(levels.astype(np.float64)) - first, 0, count - 1)
    return entries[position.astype(np.int64)]


def _first(value: Any) -> float:
    """Return the first of one or several numbers."""
    return float(value[0] if isinstance(value, Sequence) else value)
