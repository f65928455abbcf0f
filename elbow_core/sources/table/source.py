"""Reader of a folder of radiographs whose labels stand in a spreadsheet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.sources.listing import list_images
from elbow_core.sources.scan_result import Rejection, ScanResult
from elbow_core.sources.table.config import TableSource
from elbow_core.sources.table.entries import Entry, read_entries, split_hidden
from elbow_core.sources.table.files import ImageFinder, find_by, form_of
from elbow_core.tables import Sheet, SheetRow, read_sheet

_EXAMPLES = 3
_WITHOUT_PATIENTS = "name the column of patients in source.columns.patient"


def scan(root: Path, config: TableSource) -> ScanResult:
    """Return a row per image that the table lists with a label.

    Rejected are images that the table does not list, rows without an image, labels and hidden rows
    that the configuration leaves out, and as a contradiction an image that the table lists with
    two labels.

    Raises `UserError`, one line that names file, sheet, row and column, for a cell without a plain
    value or with one that the configuration does not know, a cell that fits several images, an
    image that is listed twice with one label, and a table of which no row finds an image.
    """
    table = _find_table(root, config.table)
    paths, rejected = list_images(root)
    if not paths:
        raise UserError(f"{root}: contains no images")
    sheet = read_sheet(
        table, config.wanted_columns(), sheet=config.sheet, header_row=config.header_row
    )
    visible, hidden = split_hidden(sheet, config)
    entries = read_entries(visible, config)
    if not entries:
        raise UserError(f"{sheet.place()}: lists no images below its header")
    finder = find_by(config.columns.key()[0], root, paths)
    listed, missing = _find_images(visible, config, entries, finder)
    if not listed:
        raise UserError(_describe_no_match(sheet, root, config, entries, finder, len(paths)))
    decided = [_decide(image, given, sheet, config) for image, given in listed.items()]
    skipped = _skip(hidden, config, finder, listed)
    rejected = [
        *(entry for entry in rejected if not _is_same(root / entry.path, table)),
        *finder.unreadable,
        *missing,
        *skipped,
        *(row for row in decided if isinstance(row, Rejection)),
    ]
    rows = [row for row in decided if isinstance(row, ManifestRow)]
    reason = f"is not listed in {table.name}"
    if finder.what != "name":
        reason = f"has no {finder.what} that is listed in {table.name}"
    known = {*listed, *(entry.path for entry in rejected)}
    rejected += [Rejection(path, reason) for path in paths if path not in known]
    unknown = "" if config.columns.patient else _WITHOUT_PATIENTS
    return ScanResult(rows, rejected, without_patients=unknown)


def _find_table(root: Path, table: Path) -> Path:
    if not root.is_dir():
        raise UserError(f"{root}: is not a folder")
    found = [path for path in dict.fromkeys((root / table, table)) if path.is_file()]
    if not found:
        also = "" if table.is_absolute() else f", and neither does {table}"
        raise UserError(f"source.table: {root / table} does not exist{also}")
    if len(found) > 1 and not _is_same(*found):
        raise UserError(
            f"source.table: {found[0]} and {found[1]} both exist; write the path in full"
        )
    return found[0]


def _is_same(path: Path, table: Path) -> bool:
    return path.exists() and path.samefile(table)


def _find_images(
    sheet: Sheet, config: TableSource, entries: Sequence[Entry], finder: ImageFinder
) -> tuple[dict[str, list[Entry]], list[Rejection]]:
    """Return the entries of each image, and the rows that find none."""
    key, column = config.columns.key()
    table = sheet.path.name
    listed: dict[str, list[Entry]] = {}
    missing: list[Rejection] = []
    for entry in entries:
        image = _find_image(sheet, entry.row, column, entry.image, finder)
        if image is not None:
            listed.setdefault(image, []).append(entry)
            continue
        name = entry.image if key == "file" else f"{table}:{entry.row.number}"
        missing.append(Rejection(name, f"is listed in {table} but no image has this {finder.what}"))
    return listed, missing


def _find_image(
    sheet: Sheet, row: SheetRow, column: str, text: str, finder: ImageFinder
) -> str | None:
    """Return the image that a cell means, None if there is none."""
    found = finder.find(text)
    if len(found) > 1:
        what = "fits" if finder.what == "name" else f"is the {finder.what} of"
        named = ", ".join(found[:_EXAMPLES])
        advice = "write the path from the data root, with its suffix and leading zeros"
        if finder.what != "name":
            advice = "name each image by its file or its SOPInstanceUID"
        raise UserError(
            f"{sheet.place(row, column)}: {what} {len(found)} images: {named}; {advice}"
        )
    return found[0] if found else None


def _decide(
    image: str, entries: Sequence[Entry], sheet: Sheet, config: TableSource
) -> ManifestRow | Rejection:
    """Return the row of an image, or why it has none; raises `UserError` for a repetition."""
    first, table = entries[0], sheet.path.name
    for other in entries[1:]:
        if other.label != first.label:
            return Rejection(
                image,
                f"has two labels: {first.label_text!r} in row {first.row.number} of {table} and "
                f"{other.label_text!r} in row {other.row.number}",
                contradiction=True,
            )
    if len(entries) > 1:
        place = sheet.place(entries[1].row, config.columns.key()[1])
        raise UserError(f"{place}: is the image of row {first.row.number} again; keep one row")
    if first.label is None:
        label = f"has the label {first.label_text!r}" if first.label_text else "has no label"
        return Rejection(image, f"{label} in {table}, and source.labels leaves it out")
    return _row(image, first, first.label, config)


def _row(image: str, entry: Entry, label: int, config: TableSource) -> ManifestRow:
    patient = entry.patient or image
    study = f"{patient}/{entry.study or 1}" if entry.patient else image
    return ManifestRow(
        image_id=image,
        path=image,
        label=label,
        split=entry.split,
        patient_id=patient,
        study_id=study,
        view=entry.view,
        body_part=entry.body_part,
        finding=entry.finding,
        source=config.kind,
        attributes=entry.attributes,
    )


def _skip(
    hidden: Sheet, config: TableSource, finder: ImageFinder, listed: Mapping[str, object]
) -> list[Rejection]:
    """Return the images that hidden rows alone name; what else stands in them does not matter."""
    column = config.columns.key()[1]
    images = [image for row in hidden.rows for image in finder.find(row.cells[column].text)]
    reason = f"is in a hidden row of {hidden.path.name}, and source.hidden_rows is skip"
    return [Rejection(image, reason) for image in dict.fromkeys(images) if image not in listed]


def _describe_no_match(
    sheet: Sheet,
    root: Path,
    config: TableSource,
    entries: Sequence[Entry],
    finder: ImageFinder,
    images: int,
) -> str:
    key, column = config.columns.key()
    texts = [entry.image for entry in entries[:_EXAMPLES]]
    if key == "file":
        texts, given = [repr(text) for text in texts], "they are"
    else:
        texts, given = [form_of(text) for text in texts], "of them"
    return (
        f"{sheet.place(entries[0].row, column)}: neither this nor any other row has the "
        f"{finder.what} of one of the {images} images below {root}: the column has "
        f"{', '.join(texts)}; {given} {finder.examples}"
    )
