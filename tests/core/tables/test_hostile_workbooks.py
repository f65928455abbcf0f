"""Workbooks that are damaged, encrypted, of another kind, or made to be expensive."""

import contextlib
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest

from elbow_core.errors import UserError
from elbow_core.tables import read_sheet
from elbow_core.tables.workbook_parts import MAX_INFLATED
from tests.support.spreadsheets import (
    SHEET,
    STRINGS,
    alter_part,
    share_strings,
    write_workbook,
    zip_of,
)

ENTITIES = (
    b'<!DOCTYPE sst [<!ENTITY a "fracture">'
    + b"".join(b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in range(98, 108))
    + b"]>"
)


@pytest.fixture
def workbook(tmp_path) -> Path:
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1], ["y", 2]])
    return share_strings(path)


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_sheet(path, ["a", "b"])
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 500
    return message.removeprefix(f"{path}: ")


def with_document_type(data: bytes) -> bytes:
    head, end, rest = data.partition(b"?>") if data.startswith(b"<?xml") else (b"", b"", data)
    return head + end + ENTITIES + rest.replace(b">a<", b">&k;<")


@pytest.mark.parametrize("part", [SHEET, STRINGS, "xl/workbook.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_type_is_refused_before_any_entity_expands(workbook, part, encoding):
    def change(data: bytes) -> bytes:
        text = with_document_type(data).decode()
        return text.replace('encoding="UTF-8"', "").encode(encoding)

    alter_part(workbook, part, change)
    assert refusal(workbook) == "has a document type in its XML, which no spreadsheet writes"


def test_workbook_that_inflates_beyond_the_limit_is_refused_before_it_is_inflated(
    workbook, monkeypatch
):
    zeros = bytes(MAX_INFLATED)
    workbook.write_bytes(zip_of({**parts_of(workbook), SHEET: zeros}, compresslevel=1))
    assert workbook.stat().st_size < 2**21

    def refuse(*_: Any) -> None:
        raise AssertionError("a part was inflated")

    monkeypatch.setattr(zipfile.ZipFile, "read", refuse)
    assert "MiB when it is inflated, more than 128; divide the table" in refusal(workbook)


def test_part_that_is_larger_than_it_says_is_refused(workbook):
    data = workbook.read_bytes()
    # The size of a part in the table of contents, and not its own header.
    at = data.rindex(SHEET.encode()) - 46
    size = int.from_bytes(data[at + 24 : at + 28], "little")
    assert size == len(parts_of(workbook)[SHEET])
    workbook.write_bytes(data[: at + 24] + (size - 50).to_bytes(4, "little") + data[at + 28 :])
    assert refusal(workbook) == "is a damaged workbook; save it again as .xlsx"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda data: data.replace(
                b"</sheetData>",
                b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/>'
                b'<mergeCell ref="A1:B2"/></mergeCells>',
            ),
            "merges cells over more than 100000 rows",
        ),
        (lambda data: data.replace(b'r="3"', b'r="2"'), "has rows out of order"),
        (lambda data: data.replace(b'r="3"', b'r="99999999"'), "has rows out of order"),
        (lambda data: data.replace(b'r="3"', b'r="x"'), "is a damaged workbook"),
        (lambda data: data.replace(b'r="A3"', b'r="33"'), "is a damaged workbook"),
        (lambda data: data[:-100], "is a damaged workbook"),
        (lambda _: b"", "is a damaged workbook: "),
        (lambda _: b"<other/>", "has a damaged sheet 'Sheet 1'"),
        (lambda data: data.replace(b"<v>0</v>", b"<v>99</v>"), "is a damaged workbook"),
        (lambda data: data.replace(b"<v>1</v>", b"<v>one</v>", 2), "is a damaged workbook"),
    ],
    ids=[
        "merged",
        "repeated",
        "far",
        "row",
        "cell",
        "short",
        "empty",
        "other",
        "text",
        "number",
    ],
)
def test_sheet_that_is_damaged_or_expensive_is_refused(workbook, change, message):
    alter_part(workbook, SHEET, change)
    assert message in refusal(workbook)


def test_workbook_of_too_many_elements_is_refused(workbook, monkeypatch):
    monkeypatch.setattr("elbow_core.tables.workbook_parts.MAX_ELEMENTS", 1000)
    assert len(read_sheet(workbook, ["a", "b"]).rows) == 2
    rows = b"<row/>" * 1000
    alter_part(workbook, SHEET, lambda data: data.replace(b"</sheetData>", rows + b"</sheetData>"))
    assert "has more than 1000 XML elements" in refusal(workbook)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "is an old workbook (.xls) or another file of its kind; save it as .xlsx",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "is encrypted; save it without a password",
        ),
        (zip_of({"mimetype": b"x"}), "is an OpenDocument or other ZIP file; save it as .xlsx"),
        (zip_of({"a.png": b"x"}), "is no workbook; save it as .xlsx"),
        (zip_of({}), "is no workbook; save it as .xlsx"),
        (zip_of({"[Content_Types].xml": b"<a/>"}), "is a damaged workbook: "),
        (
            zip_of({"[Content_Types].xml": b"<a/>", "xl/workbook.bin": b"x"}),
            "is a binary workbook (.xlsb); save it as .xlsx",
        ),
        (
            zip_of({"[Content_Types].xml": b"<a/>"} | {str(n): b"" for n in range(10_000)}),
            "has 10001 parts, more than 10000",
        ),
        (b"PK\x03\x04" + bytes(100), "is a damaged workbook; save it again as .xlsx"),
    ],
    ids=["xls", "encrypted", "ods", "zip", "empty", "types", "xlsb", "parts", "no zip"],
)
def test_file_of_another_kind_is_refused_with_what_to_do(tmp_path, content, message):
    (tmp_path / "t.xlsx").write_bytes(content)
    assert message in refusal(tmp_path / "t.xlsx")


def test_workbook_with_a_password_in_its_zip_is_refused(workbook):
    data = bytearray(workbook.read_bytes())
    data[data.rindex(SHEET.encode()) - 46 + 8] |= 1
    workbook.write_bytes(bytes(data))
    assert refusal(workbook) == "is encrypted; save it without a password"


def test_strict_open_xml_is_refused_with_what_to_do(workbook):
    plain = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strict = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    alter_part(workbook, SHEET, lambda data: data.replace(plain, strict))
    assert "Strict Open XML; save it as an ordinary .xlsx" in refusal(workbook)


def test_workbook_with_an_unusual_compression_is_refused(workbook):
    with zipfile.ZipFile(workbook, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("xl/more.xml", b"<a/>")
    assert "is compressed in a way that no spreadsheet writes" in refusal(workbook)


def test_altered_parts_are_read_or_refused_in_one_line(workbook):
    original = parts_of(workbook)
    chance = random.Random(0)
    refused = 0
    for _ in range(30):
        parts = dict(original)
        name = chance.choice(sorted(parts))
        data = bytearray(parts[name])
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        parts[name] = bytes(data)
        workbook.write_bytes(zip_of(parts))
        with contextlib.suppress(UserError):
            read_sheet(workbook, ["a", "b"])
            continue
        refused += 1
        refusal(workbook)
    assert 5 < refused < 30
