"""Where in its radiograph a finding is: boxes, beside the labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.identity import normalise_image_id
from elbow_core.tables import parse_number, read_csv_table, write_csv_table

REGIONS_FILE = "regions.csv"
COLUMNS = ("image_id", "kind", "x", "y", "width", "height")
INJURY_KINDS = ("fracture", "dislocation")
"""The kinds of region that are a place of injury: metal and old fractures are not."""

_DECIMALS = 2  # of a pixel


@dataclass(frozen=True, slots=True)
class Region:
    """A box around a finding, in pixels of the radiograph (after EXIF orientation).

    ``x`` and ``y`` are the left and upper edge; pixel 0 reaches from 0 to 1.
    """

    kind: str
    """What it is: ``fracture``, ``dislocation``, ``metal``, or another word."""
    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, x and y."""
        return self.x + self.width / 2, self.y + self.height / 2


def write_regions(
    path: Path, regions: Iterable[tuple[ManifestRow, Sequence[Region]]], root: Path
) -> None:
    """Write the regions of images atomically as CSV; `read_regions` returns them.

    Edges are rounded to a hundredth of a pixel. Raises `ManifestError`, which names the image in
    ``root``, for a box that is not within it; nothing is written then.
    """
    write_csv_table(
        path,
        COLUMNS,
        (_cells(row, region, str(root / row.path)) for row, found in regions for region in found),
    )


def read_regions(directory: Path, rows: Sequence[ManifestRow]) -> dict[str, list[Region]]:
    """Return the regions of a prepared directory by image id; none where the data have none.

    Raises `ManifestError`, ``file:line: column: problem``, for a table of other columns, an image
    that is not among ``rows``, and a box that is empty or not within its image.
    """
    path = directory / REGIONS_FILE
    if not path.is_file():
        return {}
    table = read_csv_table(path, ManifestError, _check_columns)
    known = {normalise_image_id(row.image_id): row for row in rows}
    found: dict[str, list[Region]] = {}
    for line in table.rows:
        place = table.place(line)
        row = known.get(normalise_image_id(line.cells["image_id"]))
        if row is None:
            raise ManifestError(
                f"{place}: image_id: {line.cells['image_id']!r} is not in the manifest"
            )
        region = parse_region(line.cells, place)
        _check_within(region, row, place)
        found.setdefault(row.image_id, []).append(region)
    return found


def parse_region(cells: Mapping[str, str], place: str, kind: str | None = None) -> Region:
    """Return the region of a row with the columns x, y, width, height and, without `kind`, kind.

    Raises `ManifestError` that begins with `place`, for a value that is not a number from 0, and
    for an empty box.
    """
    numbers = {}
    for name in COLUMNS[2:]:
        try:
            numbers[name] = parse_number(cells[name], low=0)
        except ValueError as error:
            raise ManifestError(f"{place}: {name}: {error}") from error
    if not (numbers["width"] and numbers["height"]):
        raise ManifestError(f"{place}: the box is empty")
    return Region(cells["kind"] if kind is None else kind, **numbers)


def _check_within(region: Region, row: ManifestRow, place: str) -> None:
    """Raise `ManifestError` that begins with `place` if a box is not within its image.

    Boxes of data sets were often rounded: up to a pixel beyond the edge is accepted.
    """
    if region.x + region.width > row.width + 1 or region.y + region.height > row.height + 1:
        raise ManifestError(
            f"{place}: the box {region.kind} ends at {region.x + region.width:g}, "
            f"{region.y + region.height:g}, beyond the {row.width} x {row.height} pixels"
        )


def _cells(row: ManifestRow, region: Region, place: str) -> tuple[str | float, ...]:
    _check_within(region, row, place)
    edges = region.x, region.y, region.width, region.height
    return row.image_id, region.kind, *(round(value, _DECIMALS) for value in edges)


def _check_columns(header: tuple[str, ...], place: str) -> None:
    if header != COLUMNS:
        raise ManifestError(f"{place}: the columns must be {', '.join(COLUMNS)}")
