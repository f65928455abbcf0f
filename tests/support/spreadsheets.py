"""Spreadsheets for the tests: workbooks written by openpyxl, or altered in their parts."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl

Row = Sequence[Any]

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
_INLINE = re.compile(rb'(<c [^>]*?)t="inlineStr"><is><t[^>]*>([^<]*)</t></is></c>')
_MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPE = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def write_workbook(
    path: Path,
    rows: Sequence[Row],
    change: Callable[[Any, Any], None] | None = None,
    title: str = "Sheet 1",
) -> Path:
    """Write a workbook of one sheet, after ``change(workbook, sheet)``."""
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    if change is not None:
        change(workbook, sheet)
    path.parent.mkdir(parents=True, exist_ok=True)
    workbook.save(path)
    return path


def alter_part(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """Rewrite a part of a workbook, such as ``xl/worksheets/sheet1.xml``."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part])
    path.write_bytes(zip_of(parts))
    return path


def share_strings(path: Path) -> Path:
    """Move the texts of a workbook into its part of shared strings, where Excel keeps them."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    texts: list[bytes] = []

    def move(match: re.Match[bytes]) -> bytes:
        texts.append(match[2])
        return match[1] + b't="s"><v>%d</v></c>' % (len(texts) - 1)

    parts[SHEET] = _INLINE.sub(move, parts[SHEET])
    items = b"".join(b"<si><t>" + text + b"</t></si>" for text in texts)
    parts[STRINGS] = b'<?xml version="1.0"?><sst xmlns="' + _MAIN + b'">' + items + b"</sst>"
    entry = b'<Override PartName="/' + STRINGS.encode() + b'" ContentType="' + _TYPE + b'"/>'
    types = parts["[Content_Types].xml"]
    parts["[Content_Types].xml"] = types.replace(b"</Types>", entry + b"</Types>")
    path.write_bytes(zip_of(parts))
    return path


def zip_of(parts: dict[str, bytes], **options: Any) -> bytes:
    """Return a ZIP file of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()
