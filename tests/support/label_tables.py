"""A folder of images and a table of their labels, and what a scan of them gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.errors import UserError
from elbow_core.sources import ScanResult, TableColumns, TableSource, scan
from tests.support.spreadsheets import write_workbook

HEADER = ["Datei", "Befund", "Patient", "Studie", "Teil", "Projektion", "Region", "Sex"]
ROWS = [
    ["a/1.png", "fracture", "P1", "S1", "train", "AP", "elbow", "F"],
    ["2.jpg", "No  Fracture", "P2", "S1", "test", "lat", None, "M"],
    ["3", "unclear", "P3", "S2", None, None, "wrist", None],
]
FILES = ("a/1.png", "b/2.jpg", "b/3.dcm")
COLUMNS = TableColumns(
    file="Datei",
    label="Befund",
    patient="Patient",
    study="Studie",
    split="Teil",
    view="Projektion",
    body_part="Region",
)
SOURCE = TableSource(
    table=Path("labels.xlsx"),
    columns=COLUMNS,
    labels={"fracture": 1, "no fracture": 0, "unclear": None},
    views={"lat": "lateral"},
    attributes={"sex": "Sex"},
)
PIXELS = np.arange(48 * 40, dtype=np.uint16).reshape(48, 40)


def write_files(root: Path, names: tuple[str, ...] | list[str] = FILES) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def table(root: Path, rows: list[list[Any]], change: Any = None) -> Path:
    return write_workbook(root / "labels.xlsx", [HEADER, *rows], change, "Befunde")


def source(**columns: str) -> TableSource:
    """Return a source of these columns and the label alone."""
    return TableSource(
        table=Path("labels.xlsx"),
        columns=TableColumns(label="Befund", **columns),
        labels={"fracture": 1, "no fracture": 0},
    )


def simple(root: Path, names: list[Any], paths: list[str], key: str = "file") -> ScanResult:
    """Scan files with a table whose rows have these names and are all fractures."""
    write_files(root, paths)
    write_workbook(root / "labels.xlsx", [["Datei", "Befund"], *([n, "fracture"] for n in names)])
    return scan(root, source(**{key: "Datei"}))


def reasons(found: ScanResult) -> dict[str, str]:
    return {entry.path: entry.reason for entry in found.rejected}


def refusal(root: Path, config: TableSource) -> str:
    with pytest.raises(UserError) as caught:
        scan(root, config)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message.replace(f"{root / 'labels.xlsx'}", "T").replace(str(root), "ROOT")
