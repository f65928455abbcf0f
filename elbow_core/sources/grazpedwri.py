"""Reader of GRAZPEDWRI-DX (Nagy et al., Scientific Data 9, 222, 2022; figshare 14825193)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from elbow_core.config import StrictModel
from elbow_core.dataset import ManifestRow, Region
from elbow_core.errors import UserError
from elbow_core.identity import normalise_image_id
from elbow_core.sources.grazpedwri_boxes import LABELS_FOLDER, read_boxes
from elbow_core.sources.listing import list_images
from elbow_core.sources.scan_result import Rejection, ScanResult
from elbow_core.tables import CsvTable, parse_number, read_csv_table, require_columns

TABLE = "dataset.csv"
IMAGE_FOLDERS = ("images_part1", "images_part2", "images_part3", "images_part4", "images")
LeftOut = Literal["cast", "metal", "diagnosis_uncertain", "osteopenia", "follow_up"]

_FLAGS = ("initial_exam", "cast", "diagnosis_uncertain", "osteopenia", "fracture_visible", "metal")
_WORDS = {
    "gender": "sex",
    "laterality": "laterality",
    "ao_classification": "ao_classification",
    "pixel_spacing": "pixel_spacing",
    "device_manufacturer": "manufacturer",
}
_REQUIRED = ("filestem", "patient_id", "study_number", "age", "projection", *_FLAGS, *_WORDS)
# An empty cell is 0; programs that hold empty cells as numbers write 1 as 1.0.
_FLAG_VALUES = {"": 0, "0": 0, "0.0": 0, "1": 1, "1.0": 1}
_VIEWS = {"1": "ap", "2": "lateral", "3": "oblique"}
_OLDEST = 120


class GrazPedWriSource(StrictModel):
    """The download: ``dataset.csv``, the folders of images, and ``folder_structure`` for boxes."""

    kind: Literal["grazpedwri"] = "grazpedwri"
    leave_out: tuple[LeftOut, ...] = ()
    """Images to reject: those with a ``cast`` or with ``metal``, which show that a fracture is
    known; those whose ``diagnosis_uncertain`` is set; those with ``osteopenia``, which follows
    rest in a cast; and each ``follow_up``, that is not of an initial exam."""


def scan(root: Path, config: GrazPedWriSource) -> ScanResult:
    """Return a row per image that is listed in the table and not left out.

    An image is injured if its ``fracture_visible`` is 1; an empty cell is 0. So an image of a
    broken wrist in whose projection the fracture cannot be seen is normal, although its
    ``ao_classification`` names the fracture. Patient and study are the table's. The view is ap,
    lateral or oblique for a projection of 1, 2 or 3, and unknown for another one. Metal is part of
    the finding: ``fracture, hardware``.

    Attributes of a row are ``age`` (completed years), ``sex``, ``laterality``, ``manufacturer``,
    ``pixel_spacing``, ``ao_classification``, ``exam`` (initial or follow-up), and present or absent
    for ``cast``, ``osteopenia`` and ``diagnosis_uncertain``.

    Boxes are those of ``folder_structure/yolov5/labels``, if it exists; see `read_boxes`.

    The table's ``filestem`` and the names of files are compared by `normalise_image_id`, and the
    manifest gets the folder's. Rejected are images that are left out, with the reason; images
    without a line and lines without an image; and, as a contradiction, an image that the table
    lists with both labels.

    Raises `UserError` for a missing folder or table, a table without a required column or with a
    value that is none of its column, and a name that is repeated in the table or in the folders.
    """
    base = _find_base(root)
    table = read_csv_table(base / TABLE, UserError, require_columns(*_REQUIRED))
    if not table.rows:
        raise UserError(f"{table.path}: lists no images")
    listed = _by_stem(table)
    on_disk, rejected = _images(root, base)
    rejected += [
        Rejection(path, f"is not listed in {TABLE}")
        for stem, path in on_disk.items()
        if stem not in listed
    ]
    rows = []
    for stem, entry in listed.items():
        path = on_disk.get(stem)
        if path is None:
            rejected.append(Rejection(entry.name, f"is listed in {TABLE} but does not exist"))
        elif entry.other_label:
            reason = (
                f"has two labels: fracture_visible is {entry.flags['fracture_visible']} on line "
                f"{entry.line} of {TABLE} and {1 - entry.flags['fracture_visible']} on line "
                f"{entry.other_label}"
            )
            rejected.append(Rejection(path, reason, contradiction=True))
        elif reasons := [name for name in config.leave_out if _is_left_out(name, entry.flags)]:
            rejected.append(Rejection(path, f"is left out: {', '.join(reasons)}"))
        else:
            rows.append(_row(path, entry))
    regions: dict[str, Sequence[Region]] = {}
    labels = base / LABELS_FOLDER
    if labels.is_dir():
        for row in rows:
            if boxes := read_boxes(labels, root / row.path):
                regions[row.path] = boxes
    return ScanResult(rows, rejected, regions)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The first line of an image; ``other_label`` is a later one with the other label, or 0."""

    name: str
    patient: str
    study: str
    view: str
    flags: Mapping[str, int]
    attributes: tuple[tuple[str, str], ...]
    line: int
    other_label: int = 0


def _is_left_out(name: LeftOut, flags: Mapping[str, int]) -> bool:
    return not flags["initial_exam"] if name == "follow_up" else bool(flags[name])


def _row(path: str, entry: _Entry) -> ManifestRow:
    finding = "fracture" if entry.flags["fracture_visible"] else "no fracture"
    return ManifestRow(
        image_id=PurePosixPath(path).name,
        path=path,
        label=entry.flags["fracture_visible"],
        split="",
        patient_id=entry.patient,
        study_id=entry.study,
        view=entry.view,
        body_part="wrist",
        finding=f"{finding}, hardware" if entry.flags["metal"] else finding,
        source="grazpedwri",
        attributes=entry.attributes,
    )


def _find_base(root: Path) -> Path:
    if not root.is_dir():
        raise UserError(f"{root}: is not a folder")
    for base in (root, root / "GRAZPEDWRI-DX"):
        if (base / TABLE).is_file():
            return base
    raise UserError(f"{root}: contains no {TABLE}; is it GRAZPEDWRI-DX?")


def _images(root: Path, base: Path) -> tuple[dict[str, str], list[Rejection]]:
    """Return the path of each image by its name without suffix, and the other files."""
    folders = [name for name in IMAGE_FOLDERS if (base / name).is_dir()]
    if not folders:
        raise UserError(f"{base}: has none of the folders {', '.join(IMAGE_FOLDERS)}")
    found: dict[str, str] = {}
    rejected = []
    for name in folders:
        paths, others = list_images(root, (base / name).relative_to(root).as_posix())
        rejected += others
        for path in paths:
            stem = normalise_image_id(PurePosixPath(path).stem)
            first = found.setdefault(stem, path)
            if first != path:
                raise UserError(f"{root / path}: the same name is also at {first}; keep one")
    return found, rejected


def _by_stem(table: CsvTable) -> dict[str, _Entry]:
    listed: dict[str, _Entry] = {}
    for row in table.rows:
        entry = _parse(row.cells, row.line, table.place(row))
        key = normalise_image_id(entry.name)
        first = listed.setdefault(key, entry)
        if first is entry:
            continue
        if first.flags["fracture_visible"] == entry.flags["fracture_visible"]:
            raise UserError(f"{table.place(row)}: {entry.name} is repeated")
        listed[key] = replace(first, other_label=row.line)
    return listed


def _parse(cells: Mapping[str, str], line: int, place: str) -> _Entry:
    for name in ("filestem", "patient_id", "study_number"):
        if not cells[name].strip():
            raise UserError(f"{place}: {name}: is empty")
    flags = {}
    for name in _FLAGS:
        if cells[name] not in _FLAG_VALUES:
            raise UserError(f"{place}: {name}: {cells[name]!r} is neither 1 nor 0 nor empty")
        flags[name] = _FLAG_VALUES[cells[name]]
    attributes = {
        "exam": "initial" if flags["initial_exam"] else "follow-up",
        **{
            name: "present" if flags[name] else "absent"
            for name in ("cast", "osteopenia", "diagnosis_uncertain")
        },
        **{name: cells[column].strip() for column, name in _WORDS.items()},
        "age": _completed_years(cells["age"], place),
    }
    return _Entry(
        cells["filestem"].strip(),
        cells["patient_id"].strip(),
        cells["study_number"].strip(),
        _VIEWS.get(cells["projection"].removesuffix(".0"), ""),
        flags,
        tuple(sorted((name, value) for name, value in attributes.items() if value)),
        line,
    )


def _completed_years(age: str, place: str) -> str:
    if not age:
        return ""
    try:
        return str(math.floor(parse_number(age, 0, _OLDEST)))
    except ValueError as error:
        raise UserError(f"{place}: age: {error}") from error
