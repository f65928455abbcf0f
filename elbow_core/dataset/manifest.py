"""The manifest: a table with one row per image, of fixed columns and of attributes."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from elbow_core.errors import ManifestError
from elbow_core.identity import has_outer_blanks, normalise_image_id
from elbow_core.tables import parse_whole_number, read_csv_table, write_csv_table

LABEL_NAMES = ("normal", "injury")
SPLITS = ("train", "validation", "test")
VIEWS = ("ap", "lateral", "oblique", "")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ATTRIBUTE = "attribute:"  # Before the name, so that a misspelt column is no attribute.
_MAX_NAME = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image.

    In a row that comes from a source, ``split`` is empty unless the data set publishes one,
    ``sha256`` is empty, and ``height`` and ``width`` (pixels, after EXIF orientation) are 0.
    """

    image_id: str
    path: str
    """Relative to the data root, with forward slashes; inside the root."""
    label: int
    """0 normal, 1 injury."""
    split: str
    """train, validation, test, or empty."""
    patient_id: str
    study_id: str
    view: str
    """ap, lateral, oblique, or empty if unknown."""
    body_part: str
    finding: str
    source: str
    sha256: str = ""
    """Digest of the file's bytes, 64 hexadecimal digits, or empty."""
    height: int = 0
    width: int = 0
    attributes: tuple[tuple[str, str], ...] = ()
    """Further facts for subgroups, such as ``("sex", "F")``: names and values, sorted by name. A
    value that is unknown is left out."""


COLUMNS = tuple(
    field.name for field in dataclasses.fields(ManifestRow) if field.name != "attributes"
)


def read_manifest(path: Path | str) -> list[ManifestRow]:
    """Read a manifest; the rows are in the file's order.

    The columns may be in any order, but must be exactly `COLUMNS` and, for each attribute,
    ``attribute:NAME``. A byte order mark, CRLF and quoted fields are accepted; empty lines are
    skipped.

    Raises `ManifestError`, ``file:line: column: problem``, also for two image ids that are equal by
    `normalise_image_id`.
    """
    table = read_csv_table(Path(path), ManifestError, _check_columns)
    rows = []
    seen: dict[str, int] = {}
    for line in table.rows:
        place = table.place(line)
        row = _parse_row(line.cells, place)
        first = seen.setdefault(normalise_image_id(row.image_id), line.line)
        if first != line.line:
            raise ManifestError(f"{place}: image_id: {row.image_id!r} is already on line {first}")
        rows.append(row)
    return rows


def write_manifest(path: Path | str, rows: Iterable[ManifestRow]) -> None:
    """Write rows atomically as CSV (UTF-8, LF); `read_manifest` returns them unchanged.

    Raises `ManifestError` for a row that `read_manifest` would reject; ``path`` is then unchanged.
    """
    rows = list(rows)
    names = sorted({name for row in rows for name, _ in row.attributes})
    header = (*COLUMNS, *(f"{_ATTRIBUTE}{name}" for name in names))
    write_csv_table(Path(path), header, _checked_cells(path, rows, names))


def _checked_cells(
    path: Path | str, rows: Iterable[ManifestRow], names: Sequence[str]
) -> Iterator[tuple[str | int, ...]]:
    seen: set[str] = set()
    for row in rows:
        _check_row(row, f"{path}: {row.image_id!r}")
        if normalise_image_id(row.image_id) in seen:
            raise ManifestError(f"{path}: image_id: {row.image_id!r} is repeated")
        seen.add(normalise_image_id(row.image_id))
        attributes = dict(row.attributes)
        yield (
            *(getattr(row, column) for column in COLUMNS),
            *(attributes.get(name, "") for name in names),
        )


def validate_manifest(rows: Sequence[ManifestRow], root: Path | str) -> None:
    """Check that ids and paths are unique and that every path is a file inside ``root``.

    Ids are compared by `normalise_image_id`. Links are followed. Raises `ManifestError`, also for a
    link to a file outside the root.
    """
    root = Path(root)
    if not root.is_dir():
        raise ManifestError(f"{root}: the data root is not a folder")
    inside = root.resolve()
    ids: dict[str, str] = {}
    paths: dict[str, str] = {}
    for row in rows:
        _check_row(row, row.image_id)
        key = normalise_image_id(row.image_id)
        if key in ids:
            same = ids[key] == row.image_id
            spelling = "" if same else f", as {ids[key]!a} and {row.image_id!a}; rename one file"
            raise ManifestError(f"image_id: {row.image_id!r} is repeated{spelling}")
        ids[key] = row.image_id
        if row.path in paths:
            raise ManifestError(
                f"{row.path}: is the path of both {paths[row.path]!r} and {row.image_id!r}"
            )
        paths[row.path] = row.image_id
        file = root / row.path
        if not file.is_file():
            raise ManifestError(f"{file}: is in the manifest but does not exist")
        if not file.resolve().is_relative_to(inside):
            raise ManifestError(f"{file}: is a link to a file outside the data root {root}")


def _check_columns(header: tuple[str, ...], place: str) -> None:
    if not header:
        file = place.rpartition(":")[0]
        raise ManifestError(f"{file}: is empty; the first line must be {','.join(COLUMNS)}")
    for problem, columns in (
        ("missing columns", [name for name in COLUMNS if name not in header]),
        ("unknown columns", [name or "''" for name in header if not _is_column(name)]),
    ):
        if columns:
            raise ManifestError(f"{place}: {problem}: {', '.join(columns)}")


def _is_column(name: str) -> bool:
    return name in COLUMNS or (len(name) > len(_ATTRIBUTE) and name.startswith(_ATTRIBUTE))


def _parse_row(fields: Mapping[str, str], place: str) -> ManifestRow:
    numbers = {}
    for name in ("label", "height", "width"):
        try:
            numbers[name] = parse_whole_number(fields[name])
        except ValueError as error:
            raise ManifestError(f"{place}: {name}: {error}") from error
    attributes = sorted(
        (column.removeprefix(_ATTRIBUTE), value)
        for column, value in fields.items()
        if column not in COLUMNS and value
    )
    values: dict[str, Any] = {column: fields[column] for column in COLUMNS} | numbers
    row = ManifestRow(**values, attributes=tuple(attributes))
    _check_row(row, place)
    return row


def _check_row(row: ManifestRow, place: str) -> None:
    for name, value in _texts(row):
        if _CONTROL.search(value):
            raise ManifestError(f"{place}: {name}: {value!r} contains a control character")
        if name != "path" and has_outer_blanks(value):
            kind = "a space" if value != value.strip() else "an invisible character"
            raise ManifestError(f"{place}: {name}: {value!r} starts or ends with {kind}")
        if name in ("image_id", "patient_id", "study_id", "source") and not value:
            raise ManifestError(f"{place}: {name}: is empty")
    names = [name for name, _ in row.attributes]
    if names != sorted(set(names)) or not all(part for pair in row.attributes for part in pair):
        raise ManifestError(f"{place}: attributes are not sorted, repeated or empty: {names}")
    if too_long := [name for name in names if len(name) > _MAX_NAME]:
        raise ManifestError(
            f"{place}: attribute: {too_long[0][:20]!r}... has more than {_MAX_NAME} characters"
        )
    if row.label not in (0, 1):
        raise ManifestError(f"{place}: label: {row.label} is neither 0 (normal) nor 1 (injury)")
    if row.split and row.split not in SPLITS:
        raise ManifestError(f"{place}: split: {row.split!r} is not one of {', '.join(SPLITS)}")
    if row.view not in VIEWS:
        raise ManifestError(f"{place}: view: {row.view!r} is not one of ap, lateral, oblique")
    if row.sha256 and not _SHA256.fullmatch(row.sha256):
        raise ManifestError(f"{place}: sha256: {row.sha256!r} is not 64 hexadecimal digits")
    if row.height < 0 or row.width < 0:
        raise ManifestError(f"{place}: height and width: {row.height} x {row.width} is negative")
    if problem := _path_problem(row.path):
        raise ManifestError(f"{place}: path: {row.path!r} {problem}")


def _texts(row: ManifestRow) -> Iterator[tuple[str, str]]:
    """Yield column and text of each text, the names of attributes among them."""
    for name in COLUMNS:
        if isinstance(value := getattr(row, name), str):
            yield name, value
    for name, value in row.attributes:
        yield "attribute", name
        yield name, value


def _path_problem(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    if not parts:
        return "names no file"
    if path.startswith("/"):
        return "is absolute; give it relative to the data root"
    if ".." in parts:
        return "is outside the data root"
    return None
