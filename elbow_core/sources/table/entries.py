"""The rows of a table of labels, with every cell read: what each says about its image."""

from dataclasses import dataclass, replace

from elbow_core.dataset import SPLITS
from elbow_core.errors import UserError
from elbow_core.sources.table.config import TableSource
from elbow_core.sources.table.ids import read_ids
from elbow_core.sources.table.values import read_attribute, read_mapped
from elbow_core.tables import Sheet, SheetRow

_SPLITS = {name: name for name in (*SPLITS, "")}
_VIEWS = {name: name for name in ("ap", "lateral", "oblique", "")}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table."""

    row: SheetRow
    image: str
    """What finds the image: a path, a name or the value of a tag; never empty."""
    label: int | None
    """0 normal, 1 injury, None if the configuration leaves out this label."""
    label_text: str
    """As in the configuration."""
    patient: str
    """Empty without a column of patients."""
    study: str
    """Empty without a column of studies."""
    split: str
    view: str
    body_part: str
    finding: str
    attributes: tuple[tuple[str, str], ...]
    """As in `ManifestRow`: sorted, without unknown values."""


def split_hidden(sheet: Sheet, config: TableSource) -> tuple[Sheet, Sheet]:
    """Return the rows to read, and the hidden ones that the configuration leaves out.

    Raises `UserError` for a hidden row if it does not say what hidden rows mean.
    """
    hidden = [row for row in sheet.rows if row.hidden]
    if config.hidden_rows == "read" or not hidden:
        return sheet, replace(sheet, rows=())
    if config.hidden_rows == "refuse":
        raise UserError(
            f"{sheet.place(hidden[0])}: is hidden or filtered out, the first of {len(hidden)} "
            "such rows; show them, or set source.hidden_rows to read or skip"
        )
    return (
        replace(sheet, rows=tuple(row for row in sheet.rows if not row.hidden)),
        replace(sheet, rows=tuple(hidden)),
    )


def read_entries(sheet: Sheet, config: TableSource) -> list[Entry]:
    """Return what each row says about its image.

    Raises `UserError` that names file, sheet, row and column for a cell without a plain value, a
    text that the configuration does not know, and an id that is empty or is no plain id.
    """
    _refuse_problems(sheet)
    columns = config.columns
    images = _read_required(sheet, columns.key()[1])
    patients = _read_required(sheet, columns.patient)
    studies = _read_required(sheet, columns.study)
    attributes = {
        name: read_attribute(sheet, column, config.attribute_types.get(name))
        for name, column in sorted(config.attributes.items())
    }
    labels = {text: text for text in config.labels}
    splits, views = _SPLITS | config.splits, _VIEWS | config.views
    entries = []
    for at, row in enumerate(sheet.rows):
        label = read_mapped(sheet, row, columns.label, labels, "source.labels")
        entries.append(
            Entry(
                row=row,
                image=images[at],
                label=config.labels[label],
                label_text=label,
                patient=patients[at],
                study=studies[at],
                split=read_mapped(sheet, row, columns.split, splits, "source.splits"),
                view=read_mapped(sheet, row, columns.view, views, "source.views"),
                body_part=_text(row, columns.body_part) or config.body_part,
                finding=_text(row, columns.finding) if columns.finding else label,
                attributes=tuple(
                    (name, values[at]) for name, values in attributes.items() if values[at]
                ),
            )
        )
    return entries


def _text(row: SheetRow, column: str | None) -> str:
    return "" if column is None else row.cells[column].text


def _refuse_problems(sheet: Sheet) -> None:
    for row in sheet.rows:
        for column, cell in row.cells.items():
            if cell.problem:
                raise UserError(f"{sheet.place(row, column)}: {cell.problem}")


def _read_required(sheet: Sheet, column: str | None) -> list[str]:
    """Return the ids of a column, or empty ones without a column."""
    if column is None:
        return [""] * len(sheet.rows)
    ids = read_ids(sheet, column)
    for row, text in zip(sheet.rows, ids, strict=True):
        if not text:
            raise UserError(f"{sheet.place(row, column)}: is empty; fill it in or delete the row")
    return ids
