"""The grey level pipeline of DICOM: modality transformation, then VOI transformation."""

import sys
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from elbow_core.radiographs.dicom.values import describe_tag, read_number, unpack
from elbow_core.radiographs.header import HeaderError

Levels = Float64[np.ndarray, "..."]
Limits = tuple[int, int] | tuple[float, float]
"""The lowest and the highest level that are possible, whether or not a pixel has them."""


def apply_modality(
    stored: Shaped[np.ndarray, "..."], limits: Limits, dataset: Dataset
) -> tuple[Levels, Limits]:
    """Apply the modality transformation: the lookup table if present, else the rescale.

    Takes and returns the levels, of any shape, and their limits. Raises `HeaderError`.

    Reference: DICOM PS3.3 C.11.1.
    """
    if dataset.get("ModalityLUTSequence"):
        table = _read_table(dataset.ModalityLUTSequence[0], limits)
        return table.look_up(stored), (float(table.entries.min()), float(table.entries.max()))
    slope, intercept = (read_number(dataset, f"Rescale{name}") for name in ("Slope", "Intercept"))
    if slope is None and intercept is None:
        return stored.astype(np.float64), limits
    slope = 1.0 if slope is None else slope
    intercept = 0.0 if intercept is None else intercept
    if slope == 0.0:
        raise HeaderError(f"is a DICOM file whose {describe_tag('RescaleSlope')} is 0")
    ends = sorted(slope * limit + intercept for limit in limits)
    return stored * slope + intercept, (ends[0], ends[1])


def apply_voi(levels: Levels, limits: Limits, dataset: Dataset) -> Levels:
    """Apply the VOI transformation: the first lookup table if present, else the first window.

    Levels have any shape. A window gives 0 to 1, increasing whatever the slope of the rescale.
    (With a negative slope `pydicom.pixels.apply_windowing` inverts the image.) Raises `HeaderError`
    for a window without width and an unknown function.

    Reference: DICOM PS3.3 C.11.2.
    """
    if dataset.get("VOILUTSequence"):
        return _read_table(dataset.VOILUTSequence[0], limits).look_up(levels)
    window = read_window(dataset)
    if window is None:
        return levels
    return _apply_window(levels, *window, str(dataset.get("VOILUTFunction") or "LINEAR"))


def read_window(dataset: Dataset) -> tuple[float, float] | None:
    """Return centre and width of the window that applies, if one does."""
    centre, width = read_number(dataset, "WindowCenter"), read_number(dataset, "WindowWidth")
    if centre is None or width is None or dataset.get("VOILUTSequence"):
        return None
    return centre, width


def _apply_window(levels: Levels, centre: float, width: float, function: str) -> Levels:
    function = function.strip().upper()
    if width <= 0 or (width < 1 and function == "LINEAR"):
        raise HeaderError(f"is a DICOM file whose {describe_tag('WindowWidth')} is {width:g}")
    match function:
        case "LINEAR":
            # A width of 1 is a step: levels up to centre - 0.5 are black.
            shown = (levels - (centre - 0.5)) / max(width - 1, sys.float_info.min) + 0.5
            return np.clip(np.where(levels <= centre - 0.5 - (width - 1) / 2, 0.0, shown), 0.0, 1.0)
        case "LINEAR_EXACT":
            return np.clip((levels - centre) / width + 0.5, 0.0, 1.0)
        case "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (levels - centre) / width, -700.0, 700.0)))
    named = function if function.replace("_", "").isalnum() and function.isascii() else "damaged"
    raise HeaderError(
        f"is a DICOM file whose {describe_tag('VOILUTFunction')} is {named[:16]}; "
        "LINEAR, LINEAR_EXACT and SIGMOID are known"
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A lookup table: the level of its first entry, and all entries."""

    first: int
    entries: Float64[np.ndarray, " entries"]

    def look_up(self, levels: Shaped[np.ndarray, "..."]) -> Levels:
        """Look levels up; those outside the table get its first or last entry."""
        position = np.floor(levels.astype(np.float64)) - self.first
        return self.entries[np.clip(position, 0, len(self.entries) - 1).astype(np.int64)]


def _read_table(item: Dataset, limits: Limits) -> _Table:
    """Read a lookup table for levels between the limits.

    The descriptor holds the number of entries (0 means 65536), the level of the first one, and the
    bits of an entry. The first level is signed where the levels can be negative; in explicit VR
    the type of the element says so too.

    Reference: DICOM PS3.3 C.11.1.1.1 and C.11.2.1.1.
    """
    element, data = item.get_item("LUTDescriptor"), item.get_item("LUTData")
    for found, keyword in ((element, "LUTDescriptor"), (data, "LUTData")):
        if not isinstance(found, RawDataElement) or not found.value:
            raise HeaderError(
                f"is a DICOM file with a lookup table without {describe_tag(keyword)}"
            )
    assert isinstance(element, RawDataElement)
    assert isinstance(data, RawDataElement)
    descriptor = unpack(element, "H", "LUTDescriptor")
    if len(descriptor) != 3:
        raise HeaderError(
            f"is a DICOM file whose {describe_tag('LUTDescriptor')} has {len(descriptor)} values"
        )
    count, first, _ = descriptor
    count = count or 65536
    lowest, highest = limits
    if element.VR == "US":  # Some writers know no other type.
        is_signed = lowest < 0 and first > highest
    else:
        is_signed = element.VR == "SS" or lowest < 0
    entries = _table_entries(data, count)
    return _Table(first - 65536 if is_signed and first >= 32768 else first, entries)


def _table_entries(element: RawDataElement, count: int) -> Float64[np.ndarray, " entries"]:
    """Return the entries of a table: words, or bytes packed in words (PS3.5 annex D)."""
    data = bytes(element.value or b"")
    order = "<" if element.is_little_endian else ">"
    kind = "i2" if element.VR == "SS" else "u2"
    if len(data) >= 2 * count:
        return np.frombuffer(data, order + kind, count).astype(np.float64)
    if len(data) < count:
        raise HeaderError(
            f"is a DICOM file with a lookup table that is cut short: {len(data)} bytes for "
            f"{count} entries"
        )
    packed = np.frombuffer(data, np.uint8)
    if not element.is_little_endian and element.VR != "OB":
        packed = packed[: len(packed) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
    return packed[:count].astype(np.float64)
