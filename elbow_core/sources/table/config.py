"""The schema of a table of labels: which column is what, and what its texts mean."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from elbow_core.config import StrictModel
from elbow_core.identity import has_outer_blanks, normalise_id
from elbow_core.tables import MAX_HEADER_ROW

AttributeType = Literal["number", "decimal_comma", "date", "day_first", "month_first"]
Key = Literal["file", "sop_instance_uid", "accession_number"]

_MAX_NAME = 100
_KEYS: tuple[Key, ...] = ("file", "sop_instance_uid", "accession_number")


def _check_name(name: str) -> str:
    if not name or has_outer_blanks(name) or not name.isprintable():
        raise ValueError(f"{name!r} is empty, has a blank at its ends or is not printable")
    return name


def _check_texts(values: dict[str, Any]) -> dict[str, Any]:
    for text in filter(None, values):
        _check_name(text)
    if len({normalise_id(text) for text in values}) < len(values):
        raise ValueError(f"two of {', '.join(map(ascii, values))} are one text")
    return values


Name = Annotated[str, Field(max_length=_MAX_NAME), AfterValidator(_check_name)]
Texts = AfterValidator(_check_texts)


class TableColumns(StrictModel):
    """Names of the columns; of the first three exactly one, which finds the image."""

    file: Name | None = None
    """Path from the root, or a name that is unique below it; the suffix may be left out."""
    sop_instance_uid: Name | None = None
    """SOPInstanceUID of a DICOM file."""
    accession_number: Name | None = None
    """AccessionNumber of a DICOM file, if each number has one image."""
    label: Name
    """Its texts are those of ``labels``; an empty cell is the text ''."""
    patient: Name | None = None
    """Id of the patient. Without it each image is a patient of its own, unless DICOM tags say whose
    it is, which is correct only if no patient has two images."""
    study: Name | None = None
    """Id of the study, unique within a patient; without it a patient has one study."""
    split: Name | None = None
    """Its texts are those of ``splits``."""
    view: Name | None = None
    """Its texts are those of ``views``."""
    body_part: Name | None = None
    """Any text."""
    finding: Name | None = None
    """Any text; without it the finding is the label's text."""

    @model_validator(mode="after")
    def _check_key(self) -> "TableColumns":
        given = [key for key in _KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            named = " and ".join(given) or "none"
            raise ValueError(f"exactly one of {', '.join(_KEYS)} must find the image, not {named}")
        if self.study is not None and self.patient is None:
            raise ValueError(
                "study needs patient: without ids of patients, name the column of studies there "
                "too, since the images of a study are of one patient"
            )
        return self

    def key(self) -> tuple[Key, str]:
        """Return which column finds the image, and its name."""
        return next((key, name) for key in _KEYS if (name := getattr(self, key)) is not None)


class TableSource(StrictModel):
    """A folder of images, and a table of their labels: .xlsx, CSV or text with tabs."""

    kind: Literal["table"] = "table"
    table: Path
    """The table's file, relative to the root or to the working directory."""
    sheet: str | None = None
    """The sheet of an .xlsx file; by default the only one that is not hidden."""
    header_row: Annotated[int, Field(ge=1, le=MAX_HEADER_ROW)] = 1
    """The row of the columns' names; those above it are not read."""
    hidden_rows: Literal["refuse", "read", "skip"] = "refuse"
    """Rows that are hidden or filtered out end the run, are read, or are listed in rejected.csv."""
    columns: TableColumns
    """Which column is what."""
    labels: Annotated[dict[str, Literal[0, 1] | None], Field(min_length=1), Texts]
    """Label of each text: 0 normal, 1 injury; null lists the image in rejected.csv."""
    splits: Annotated[dict[str, Literal["train", "validation", "test", ""]], Texts] = Field(
        default_factory=dict
    )
    """Split of each text, beside those three names; an empty cell is no split."""
    views: Annotated[dict[str, Literal["ap", "lateral", "oblique", ""]], Texts] = Field(
        default_factory=dict
    )
    """View of each text, beside those three names; an empty cell is an unknown view."""
    body_part: str = ""
    """The body part of all images, if it has no column."""
    attributes: dict[Name, Name] = Field(default_factory=dict)
    """Further facts for subgroups, such as sex: the column of each."""
    attribute_types: dict[Name, AttributeType] = Field(default_factory=dict)
    """Attributes that are no plain text: number, decimal_comma (34,5), date (2024-03-31),
    day_first (31.03.2024), month_first (03/31/2024)."""

    @model_validator(mode="after")
    def _check_attributes(self) -> "TableSource":
        if unknown := sorted(self.attribute_types.keys() - self.attributes.keys()):
            raise ValueError(f"attribute_types: {unknown[0]!r} is not in attributes")
        if self.columns.body_part is not None and self.body_part:
            raise ValueError("body_part is given, and columns.body_part too; leave one out")
        return self

    def wanted_columns(self) -> list[str]:
        """Return the names of all columns that are read, each once."""
        names = [name for name in self.columns.model_dump().values() if name is not None]
        return list(dict.fromkeys([*names, *self.attributes.values()]))
