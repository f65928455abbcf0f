"""The grey level transformations of a radiograph, as a presentation state can repeat them.

`highdicom` copies a rescaling and a window. It drops a modality lookup table, and gives a VOI table
of 12 bits 16 bits without scaling its levels, which would show the radiograph nearly black.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64
from pydicom import Dataset
from pydicom.valuerep import DSfloat

GREY_LEVELS = (
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)
"""Keywords that are read here, beside Pixel Representation."""
_WHITE = 65535


class Table(NamedTuple):
    """A lookup table; input below or above its own gets its first or last level."""

    first: int
    levels: Float64[np.ndarray, " entries"]
    bits: int

    def to_16_bits(self) -> "Table":
        """Return the table with its levels scaled, so that its white stays white."""
        return Table(self.first, self.levels * (_WHITE / (2**self.bits - 1)), 16)

    def before(self, later: "Table") -> "Table":
        """Return the table of this one and a later one in sequence."""
        places = np.rint(self.levels).astype(np.int64) - later.first
        levels = later.levels[np.clip(places, 0, len(later.levels) - 1)]
        return Table(self.first, levels, later.bits)


@dataclass(frozen=True, slots=True, eq=False)
class GreyLevels:
    """Grey level transformations; what a radiograph lacks is None.

    A table has 16 bits: of those that a radiograph may have, a presentation state knows 8 and 16
    alone. With a modality table the window is in its units.
    """

    rescaling: tuple[float, float] | None = None
    """Slope and intercept."""
    modality: Table | None = None
    window: tuple[float, float, str] | None = None
    """Centre, width and function: empty, LINEAR_EXACT or SIGMOID."""
    voi: Table | None = None

    def apply_to(self, state: Dataset) -> None:
        """Write the transformations into a presentation state.

        Reference: DICOM PS3.3 C.11.1, C.11.8.
        """
        if self.rescaling is not None:
            state.RescaleSlope, state.RescaleIntercept = map(_decimal, self.rescaling)
            state.RescaleType = "US"
        if self.modality is not None:
            state.ModalityLUTSequence = [_item(self.modality)]
            state.ModalityLUTSequence[0].ModalityLUTType = "US"
        shown = Dataset()
        if self.voi is not None:
            shown.VOILUTSequence = [_item(self.voi)]
        elif self.window is not None:
            centre, width, function = self.window
            shown.WindowCenter, shown.WindowWidth = _decimal(centre), _decimal(width)
            if function:
                shown.VOILUTFunction = function
        if len(shown):
            state.SoftcopyVOILUTSequence = [shown]


def read_grey_levels(file: Dataset) -> GreyLevels:
    """Return the transformations of a header; none at all where one of them cannot be read.

    A window without its rescaling would show another image. Of several windows or tables it is the
    first, which `elbow_core.radiographs` shows too.
    """
    try:
        return _read(file)
    except Exception:  # of pydicom, for values that are no numbers or tables
        return GreyLevels()


def _read(file: Dataset) -> GreyLevels:
    window, voi = _window(file), None
    if file.get("VOILUTSequence"):
        window, voi = None, _table(file.VOILUTSequence[0], _is_signed(file))
    if file.get("ModalityLUTSequence"):
        signed = bool(file.get("PixelRepresentation"))
        modality = _table(file.ModalityLUTSequence[0], signed)
        if voi is not None:
            return GreyLevels(modality=modality.before(voi).to_16_bits())
        if window is not None:
            scale = _WHITE / (2**modality.bits - 1)
            window = (window[0] * scale, window[1] * scale, window[2])
        return GreyLevels(modality=modality.to_16_bits(), window=window)
    rescaling = None
    if "RescaleSlope" in file or "RescaleIntercept" in file:
        rescaling = (_number(file, "RescaleSlope", 1.0), _number(file, "RescaleIntercept", 0.0))
    return GreyLevels(rescaling, None, window, None if voi is None else voi.to_16_bits())


def _is_signed(file: Dataset) -> bool:
    """Return whether the input of a VOI table may be negative."""
    return bool(file.get("PixelRepresentation")) or _number(file, "RescaleIntercept", 0.0) < 0


def _window(file: Dataset) -> tuple[float, float, str] | None:
    if not file.get("WindowCenter") or not file.get("WindowWidth"):
        return None
    centre, width = _number(file, "WindowCenter", 0.0), _number(file, "WindowWidth", 0.0)
    function = str(file.get("VOILUTFunction") or "").upper()
    if width < (0 if function in ("LINEAR_EXACT", "SIGMOID") else 1):
        raise ValueError("WindowWidth is too small")
    return (centre, width, function if function in ("LINEAR_EXACT", "SIGMOID") else "")


def _number(file: Dataset, keyword: str, default: float) -> float:
    """Return the first number of an element; raises `ValueError` if it is not finite."""
    value = file.get(keyword)
    number = default if value in (None, "") else float(next(each_value(value)))
    if not math.isfinite(number):
        raise ValueError(f"{keyword} is not finite")
    return number


def _table(item: Dataset, signed: bool) -> Table:
    """Return a lookup table; raises `ValueError` for one that its descriptor does not describe."""
    entries, first, bits = _words(item["LUTDescriptor"].value)
    levels = np.array(_words(item["LUTData"].value), np.float64)
    if len(levels) != (entries or 65536) or not 8 <= bits <= 16 or levels.max() >= 2**bits:
        raise ValueError("is not the table that its descriptor describes")
    return Table(first - 65536 if signed and first >= 32768 else first, levels, bits)


def _item(table: Table) -> Dataset:
    item, entries = Dataset(), len(table.levels) % 65536
    if table.first < 0:
        entries = entries - 65536 if entries >= 32768 else entries
        item.add_new("LUTDescriptor", "SS", [entries, table.first, table.bits])
    else:
        item.add_new("LUTDescriptor", "US", [entries, table.first, table.bits])
    item.add_new("LUTData", "OW", np.rint(table.levels).astype("<u2").tobytes())
    return item


def _decimal(number: float) -> str:
    """Return a decimal string, of at most 16 characters."""
    return str(DSfloat(number, auto_format=True))


def _words(value: Any) -> list[int]:
    """Return words of 16 bits, without their sign; of an unknown type they are little-endian."""
    if isinstance(value, bytes):
        return np.frombuffer(value, "<u2").tolist()
    return [int(word) % 65536 for word in each_value(value)]


def each_value(value: Any) -> Iterator[Any]:
    """Yield the values of an element, one or several."""
    yield from value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
