"""Reader of FracAtlas (Abedeen et al., Scientific Data 10, 521, 2023; figshare 22363012)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.identity import normalise_image_id
from elbow_core.sources.fracatlas_boxes import read_boxes
from elbow_core.sources.listing import list_images
from elbow_core.sources.scan_result import Rejection, ScanResult
from elbow_core.tables import read_csv_table, require_columns

Part = Literal["hand", "leg", "hip", "shoulder"]

_PARTS: tuple[Part, ...] = ("hand", "leg", "hip", "shoulder")
_VIEWS = {"frontal": "ap", "lateral": "lateral", "oblique": "oblique"}
_REQUIRED = ("image_id", "fractured", "hardware", *_VIEWS)
_FOLDER_LABELS = {"Fractured": 1, "Non_fractured": 0}
_WITHOUT_PATIENTS = (
    "FracAtlas publishes no patients; near_duplicates: group keeps at least repeated images in one "
    "split"
)


class FracAtlasSource(StrictModel):
    """The download (``dataset.csv``), or a subset of it (``labels.csv`` and a flat ``images``)."""

    kind: Literal["fracatlas"] = "fracatlas"
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = _PARTS
    """Images that show any other part are left out; ``hand`` includes the elbow."""


def scan(root: Path, config: FracAtlasSource) -> ScanResult:
    """Return a row per image that is listed in the table and shows only the wanted parts.

    FracAtlas publishes no patients, so each image counts as a patient of its own; byte-identical
    images still stay in one split. The view is empty for an image with several views. Hardware is
    part of the finding: ``fracture, hardware``.

    Boxes of fractures are those of `read_boxes`: the download's annotations, or ``boxes.csv``
    beside the table (``image_id,x,y,width,height``, pixels).

    Names of the table and of the folder are compared by `normalise_image_id`, and the manifest gets
    the folder's. An image is rejected as a contradiction where folder and table give it different
    labels, where it is in both folders, or where the table lists it with both labels.

    Raises `UserError` for a missing folder or table, a table without a required column or with a
    value that is not 0 or 1, a name that is repeated in the table or in one folder, and damaged
    boxes.
    """
    table = _find_table(root)
    base = table.parent
    prefix = base.relative_to(root).as_posix().removeprefix(".")
    listed = _read_table(table)
    paths, rejected = list_images(root, f"{prefix}/images".removeprefix("/"))
    on_disk = _by_name(root, paths)
    rejected += [
        Rejection(path, f"is not listed in {table.name}")
        for name, found in on_disk.items()
        for path in found
        if name not in listed
    ]
    rows = []
    for name, entry in listed.items():
        found = on_disk.get(name)
        if found is None:
            rejected.append(Rejection(entry.name, f"is listed in {table.name} but does not exist"))
            continue
        parts = [part for part in _PARTS if entry.flags.get(part)]
        if not set(parts) <= set(config.parts):
            reason = f"shows {', '.join(parts)}, not only wanted parts"
            rejected += [Rejection(path, reason) for path in found]
        elif reason := _contradiction(found, entry, table.name):
            rejected += [Rejection(path, reason, contradiction=True) for path in found]
        else:
            rows.append(_row(found[0], parts, entry.flags))
    paths = {normalise_image_id(row.image_id): row.path for row in rows}
    boxes = read_boxes(base, {name: root / path for name, path in paths.items()})
    regions = {paths[name]: found for name, found in boxes.items()}
    return ScanResult(rows, rejected, regions, _WITHOUT_PATIENTS)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The first line of an image in the table: its name as written there, its columns of 0 and 1.

    ``other_label`` is a later line that gives the image the other label, 0 if there is none.
    """

    name: str
    flags: Mapping[str, int]
    line: int
    other_label: int = 0


def _by_name(root: Path, paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the paths of each name; a name has two only if it is in both folders of labels."""
    found: dict[str, list[str]] = {}
    for path in paths:
        others = found.setdefault(normalise_image_id(PurePosixPath(path).name), [])
        if others and {_folder_of(path), *map(_folder_of, others)} != set(_FOLDER_LABELS):
            raise UserError(f"{root / path}: the same name is also at {others[0]}; keep one")
        others.append(path)
    return found


def _folder_of(path: str) -> str:
    return PurePosixPath(path).parent.name


def _contradiction(paths: Sequence[str], entry: _Entry, table: str) -> str:
    """Return which two labels an image has, and where each is stated; empty if it has one."""
    label = entry.flags["fractured"]
    if entry.other_label:
        return (
            f"has two labels: fractured is {label} on line {entry.line} of {table} and "
            f"{1 - label} on line {entry.other_label}"
        )
    folders = [_folder_of(path) for path in paths]
    if len(paths) > 1:
        return f"has two labels: it lies in {' and in '.join(dict.fromkeys(folders))}"
    if _FOLDER_LABELS.get(folders[0], label) != label:
        return f"has two labels: it lies in {folders[0]}, but fractured is {label} in {table}"
    return ""


def _row(path: str, parts: Sequence[str], line: Mapping[str, int]) -> ManifestRow:
    views = [view for column, view in _VIEWS.items() if line[column]]
    single_view = len(views) == 1 and not line.get("multiscan", 0)
    finding = "fracture" if line["fractured"] else "no fracture"
    patient = PurePosixPath(path).stem
    return ManifestRow(
        image_id=PurePosixPath(path).name,
        path=path,
        label=line["fractured"],
        split="",
        patient_id=patient,
        study_id=patient,
        view=views[0] if single_view else "",
        body_part="+".join(parts),
        finding=f"{finding}, hardware" if line["hardware"] else finding,
        source="fracatlas",
    )


def _find_table(root: Path) -> Path:
    if not root.is_dir():
        raise UserError(f"{root}: is not a folder")
    for folder in (root, root / "FracAtlas"):
        for name in ("dataset.csv", "labels.csv"):
            if (folder / name).is_file():
                return folder / name
    raise UserError(f"{root}: contains neither dataset.csv nor labels.csv; is it FracAtlas?")


def _read_table(path: Path) -> dict[str, _Entry]:
    table = read_csv_table(path, UserError, require_columns(*_REQUIRED))
    if not table.rows:
        raise UserError(f"{path}: lists no images")
    flags = [name for name in (*_REQUIRED[1:], *_PARTS, "multiscan") if name in table.columns]
    listed: dict[str, _Entry] = {}
    for row in table.rows:
        name = row.cells["image_id"]
        key = normalise_image_id(name)
        if not key:
            raise UserError(f"{table.place(row)}: image_id: is empty")
        for flag in flags:
            if row.cells[flag] not in ("0", "1"):
                raise UserError(
                    f"{table.place(row)}: {flag}: {row.cells[flag]!r} is neither 0 nor 1"
                )
        entry = _Entry(name, {flag: int(row.cells[flag]) for flag in flags}, row.line)
        first = listed.setdefault(key, entry)
        if first.flags["fractured"] != entry.flags["fractured"]:
            listed[key] = replace(first, other_label=row.line)
        elif first is not entry:
            raise UserError(f"{table.place(row)}: {name} is repeated")
    return listed
