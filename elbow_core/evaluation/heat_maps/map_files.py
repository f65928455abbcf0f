"""A set of heat maps on disk: a folder with a card and one array for each image.

``maps.json`` is the card (`MapsCard`); ``00000.npy``, ``00001.npy`` and so on are the maps of its
images in order, each float32 [height, width], finite and not negative. There is no pickle in it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from elbow_core.errors import HeatMapError
from elbow_core.evaluation.heat_maps.card import MappedImage, MapsCard, parse_card
from elbow_core.files import atomic_folder, read_regular

CARD = "maps.json"
_MAX_CARD = 1 << 26
_MAX_HEADER = 1 << 12  # of a .npy file; NumPy's own has 128 bytes
_MAGIC = b"\x93NUMPY\x01\x00"
# Parsed by pattern, since NumPy evaluates the header as Python literals.
_HEADER = re.compile(
    rb"\{'descr': '(?P<kind>[^']*)', 'fortran_order': (?P<by_columns>True|False), "
    rb"'shape': \((?P<shape>[0-9, ]{0,64})\), ?\} *\n"
)
MAP_NAME = re.compile(r"[0-9]{5,}\.npy")

HeatMap = Float32[np.ndarray, "height width"]


class HeatMaps:
    """A set of maps, read one at a time, so that memory does not grow with their number."""

    def __init__(self, directory: Path, card: MapsCard) -> None:
        self.directory = directory
        self.card = card

    def __len__(self) -> int:
        return len(self.card.images)

    def __getitem__(self, position: int) -> HeatMap:
        """Return the map of the image at this position of the card.

        Raises `HeatMapError`, which names the file, for one that is missing, damaged, of another
        size or type than the card says, or with a value that is negative or not finite; and
        `IndexError` out of range.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"{self.directory}: no map {position} among {len(self)}")
        path = self.directory / _map_name(position)
        return _read_map(path, (self.card.height, self.card.width))

    def __iter__(self) -> Iterator[HeatMap]:
        return (self[position] for position in range(len(self)))


def open_maps(directory: Path) -> HeatMaps:
    """Open a set of maps; the maps themselves are read and checked one by one, later.

    Raises `HeatMapError` if its card is missing or violates the schema.
    """
    path = directory / CARD
    try:
        return HeatMaps(directory, parse_card(read_regular(path, _MAX_CARD)))
    except OSError as error:
        raise HeatMapError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise HeatMapError(f"{path}: is not a card of heat maps: {error}") from error


def write_maps(directory: Path, card: MapsCard, maps: Iterable[HeatMap]) -> None:
    """Write a set of maps, in the order of the card's images; ``maps`` are taken one at a time.

    The folder appears when it is complete. It may replace an earlier set of maps, and nothing else.

    Raises `HeatMapError` for a map that `HeatMaps` would refuse, too few or too many maps, and
    `UserError` if the folder holds other files or cannot be written.
    """
    require_maps_folder(directory)
    shape = (card.height, card.width)
    with atomic_folder(directory, may_replace=require_maps_folder) as folder:
        written = 0
        for values in maps:
            if written == len(card.images):
                raise HeatMapError(f"{directory}: more maps than the {written} images of the card")
            place = f"{directory}: {card.images[written].image_id}"
            _write_map(folder / _map_name(written), values, shape, place)
            written += 1
        if written < len(card.images):
            raise HeatMapError(f"{directory}: {written} maps of {len(card.images)} images")
        _write_card(folder, card)


class MapsWriter:
    """Writes a set of maps into a folder as they come, and its card at the end.

    For a command that writes several sets at once, and learns only on the way which of its images
    can be read. The folder is a new one, within another that the command replaces as a whole.

    Args:
        folder: to write into; it is made.
        card: the fields of `MapsCard` but ``images``, for all of the maps.
    """

    def __init__(self, folder: Path, **card: Any) -> None:
        folder.mkdir()
        self._folder = folder
        self._card = card
        self._images: list[MappedImage] = []

    def add(self, image: MappedImage, values: HeatMap) -> None:
        """Write the map of the next image.

        Raises `HeatMapError` for a map that `HeatMaps` would refuse.
        """
        shape = self._card["height"], self._card["width"]
        path = self._folder / _map_name(len(self._images))
        _write_map(path, values, shape, f"{self._folder.name}: {image.image_id}")
        self._images.append(image)

    def finish(self) -> None:
        """Write the card; raises `pydantic.ValidationError` where there is no map."""
        _write_card(self._folder, MapsCard(images=tuple(self._images), **self._card))


def require_maps_folder(directory: Path) -> None:
    """Raise `HeatMapError` unless the folder is absent, empty or a set of maps alone."""
    try:
        entries = sorted(directory.iterdir()) if directory.is_dir() else []
    except OSError as error:
        raise HeatMapError(f"{directory}: cannot be read: {error.strerror}") from error
    for entry in entries:
        ours = entry.name == CARD or MAP_NAME.fullmatch(entry.name)
        if not ours or entry.is_symlink() or not entry.is_file():
            raise HeatMapError(
                f"{directory}: holds other files, such as {entry.name}; name a folder that is new "
                "or empty"
            )
    if entries:
        open_maps(directory)


def _write_map(path: Path, values: HeatMap, shape: tuple[int, int], place: str) -> None:
    _check_values(values, shape, place)
    np.save(path, np.ascontiguousarray(values, "<f4"))


def _write_card(folder: Path, card: MapsCard) -> None:
    (folder / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _map_name(position: int) -> str:
    return f"{position:05d}.npy"


def _read_map(path: Path, shape: tuple[int, int]) -> HeatMap:
    height, width = shape
    try:
        content = read_regular(path, 4 * height * width + _MAX_HEADER)
    except OSError as error:
        raise HeatMapError(f"{path}: cannot be read: {error.strerror}") from error
    start = len(_MAGIC) + 2 + int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "little")
    header = _HEADER.fullmatch(content[len(_MAGIC) + 2 : start])
    if not content.startswith(_MAGIC) or header is None:
        raise HeatMapError(f"{path}: is not a .npy file of version 1.0 as numpy.save writes it")
    if header["kind"] != b"<f4" or header["by_columns"] != b"False":
        raise HeatMapError(f"{path}: is not float32 in C order; write it with write_maps")
    found = [int(side) for side in header["shape"].replace(b" ", b"").split(b",") if side]
    if found != [height, width]:
        size = " x ".join(map(str, found))
        raise HeatMapError(f"{path}: has {size} values, but the card says {height} x {width}")
    if len(content) - start != 4 * height * width:
        raise HeatMapError(f"{path}: is cut short, or has bytes behind its values")
    values = np.frombuffer(content[start:], "<f4").reshape(shape)  # the copy is aligned
    _check_values(values, shape, str(path))
    return values


def _check_values(values: HeatMap, shape: tuple[int, int], place: str) -> None:
    """Raise `HeatMapError`, which begins with ``place``, for another shape or a wrong value."""
    if values.shape != shape:
        size = " x ".join(map(str, values.shape))
        raise HeatMapError(f"{place}: has {size} values, but the card says {shape[0]} x {shape[1]}")
    lowest, highest = float(values.min()), float(values.max())  # nan where any value is
    if not np.isfinite(highest) or not np.isfinite(lowest):
        raise HeatMapError(f"{place}: contains a value that is not finite")
    if lowest < 0:
        raise HeatMapError(
            f"{place}: contains the negative value {lowest:g}; a map is evidence for injury, so "
            "write the positive part, or the magnitude, and say which in `method`"
        )
