"""The one reader of tables: what it takes as it stands, and what it refuses with file and line."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.dataset import read_manifest
from elbow_core.dataset.manifest import COLUMNS
from elbow_core.errors import ManifestError, PredictionsError, UserError
from elbow_core.evaluation import read_predictions
from elbow_core.evaluation.audit.tables import read_results, read_sets
from elbow_core.evaluation.import_scores import read_scores
from elbow_core.evaluation.report.content import read_rejected
from elbow_core.sources import FracAtlasSource, MuraSource, scan
from elbow_core.tables.reading import read_csv_rows, read_csv_table


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(path: Path) -> list[dict[str, str]]:
    return [dict(row.cells) for row in read_csv_table(path).rows]


def test_cells_keep_every_character(tmp_path):
    text = 'a,b\n x ,"y"\n"1\n2",\xa0z\u200b\n'
    table = read_csv_table(write(tmp_path / "t.csv", text))
    assert [dict(row.cells) for row in table.rows] == [
        {"a": " x ", "b": "y"},
        {"a": "1\n2", "b": "\xa0z\u200b"},
    ]
    assert [row.line for row in table.rows] == [2, 4]
    assert table.place(table.rows[1]).endswith("t.csv:4")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
def test_byte_order_mark_and_line_ends_of_every_system_are_read(tmp_path, end, mark, last):
    text = mark + end.join(["a,b", "", "1,2", "  ", "3,4"]) + end * last
    path = write(tmp_path / "t.csv", text)
    assert cells(path) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [row.line for row in read_csv_table(path).rows] == [3, 5]


def test_columns_without_a_name_are_left_out(tmp_path):
    assert cells(write(tmp_path / "t.csv", ",a,,b\n0,1,,2\n")) == [{"a": "1", "b": "2"}]


def test_comments_are_skipped_but_counted(tmp_path):
    path = write(tmp_path / "t.csv", "# one\na,b\n#,two\n1,2\n")
    table = read_csv_table(path, comments=True)
    assert (table.header_line, [row.line for row in table.rows]) == (2, [4])
    with pytest.raises(UserError, match=r"t\.csv:2: 2 values under 1 columns"):
        read_csv_table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,a\n1,2,3\n", ":1: repeated columns: a"),
        ("a, b\n1,2\n", ":1: the column name ' b' starts or ends with a blank"),
        ("a,b\xa0\n1,2\n", ":1: the column name 'b\\xa0' starts or ends with a blank"),
        ("\ufeff\ufeffa,b\n1,2\n", ":1: the column name '\\ufeffa' starts or ends"),
        ("a,b\n1\n", ":2: 1 values under 2 columns"),
        ("a,b\n1,2,3\n", ":2: 3 values under 2 columns"),
        ("a,b\n1,2\0\n", ":2: contains a null byte"),
        ("a;b\n1;2\n", ":1: one column, 'a;b'; separate the columns by commas"),
        ("a\tb\n1\t2\n", ":1: one column, 'a\\tb'; separate the columns by commas"),
        ('a,b\n"1,2\n', ":2: is not CSV: unexpected end of data"),
        ('a,b\n"1"2,3\n', ":2: is not CSV: ',' expected after '\"'"),
        ("a,b\n1,ü\n".encode("cp1252"), ": cannot be read: line 2 is not UTF-8 text; save it"),
        ("a,b\n1,2\n".encode("utf-16"), ": cannot be read: it is UTF-16 text; save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-32"), ": cannot be read: it is UTF-32 text; save it as UTF-8"),
        ("a,b\n".encode("utf-16-le"), ":1: contains a null byte"),
    ],
)
def test_fault_is_one_line_with_file_and_line(tmp_path, content, message):
    path = write(tmp_path / "t.csv", content)
    with pytest.raises(PredictionsError) as caught:
        read_csv_table(path, PredictionsError)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(ManifestError, match=r"no\.csv: cannot be read: No such file"):
        read_csv_table(tmp_path / "no.csv", ManifestError)
    with pytest.raises(UserError, match="cannot be read: is not a regular file"):
        read_csv_rows(tmp_path)


def test_file_without_a_line_has_no_columns(tmp_path):
    table = read_csv_table(write(tmp_path / "t.csv", "\n \n"))
    assert (table.columns, table.rows) == ((), ())


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_an_error_of_one_line(tmp_path_factory, data):
    path = write(tmp_path_factory.getbasetemp() / "any.csv", data)
    try:
        table = read_csv_table(path)
    except UserError as error:
        message = str(error)
    else:
        message = ""
        assert all(set(row.cells) == set(table.columns) - {""} for row in table.rows)
    assert "\n" not in message


HEADER = "image_id,patient_id,study_id,label,score,prediction,model\n"
MANIFEST = "a,a.png,1,test,p,p/1,ap,elbow,x,elbow,,1,1\n"
FRACATLAS = "image_id,hand,fractured,hardware,frontal,lateral,oblique\nIMG1.jpg,1,0,0,1,0,0\n"
SCORES = {"image_id": "file", "label": "truth", "score": "probability"}
# One sound table of each kind, and its reader. Every fault below is tried on each.
TABLES = {
    "predictions": (HEADER + "a,p1,s1,1,0.75,1,m\n", read_predictions),
    "manifest": (",".join(COLUMNS) + "\n" + MANIFEST, read_manifest),
    "scores": (
        "file,truth,probability\na,1,0.5\n",
        lambda path: read_scores(path, SCORES, {"0": 0, "1": 1}, "m", 0.5),
    ),
    "results": ("model,accuracy\na,0.9\n", read_results),
    "sets": ("set,positives,negatives\na,1,2\n", read_sets),
    "rejected": ("path,reason\na,b\n", read_rejected),
    "dataset": (FRACATLAS, lambda path: scan(path.parent, FracAtlasSource())),
}


@pytest.fixture(params=TABLES)
def table(request, tmp_path):
    text, read = TABLES[request.param]
    path = tmp_path / f"{request.param}.csv"
    (tmp_path / "images").mkdir()
    (tmp_path / "images/IMG1.jpg").write_bytes(b"x")
    return text, path, read


def faults(text: str) -> list[bytes]:
    header, row = text.encode().splitlines()
    first, _, others = header.partition(b",")
    return [
        header + b"," + others.split(b",")[-1] + b"\n" + row + b",1\n",
        header.replace(b",", b", ", 1) + b"\n" + row + b"\n",
        header.replace(b",", b"\xc2\xa0,", 1) + b"\n" + row + b"\n",
        b"\xe2\x80\x8b" + header + b"\n" + row + b"\n",
        header + b"\n" + row + b",\n",
        header + b"\n" + row.rpartition(b",")[0] + b"\n",
        header + b"\n" + row.replace(b",", b"\0,", 1) + b"\n",
        text.encode("utf-16"),
        header.replace(b",", b";") + b"\n" + row + b"\n",
        header + b'\n"' + row + b"\n",
        first + b"\xe4," + others + b"\n" + row + b"\n",
    ]


def test_every_table_is_read_by_the_strict_reader(table):
    text, path, read = table
    read(write(path, text))
    read(write(path, "\ufeff" + text.replace("\n", "\r\n")))
    for fault in faults(text):
        with pytest.raises(UserError) as caught:
            read(write(path, fault))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


CELLS = {
    "predictions": ("label", "prediction", "score"),
    "manifest": ("label", "height", "width"),
    "scores": ("truth", "probability"),
    "results": ("accuracy",),
    "sets": ("positives", "negatives"),
    "dataset": ("hand", "fractured", "hardware", "frontal"),
}
NOT_CELLS = (
    *(" 1", "1 ", "\xa01", "1\u200b", "1_0", "nan", "inf", "0x1", "１", "1e999", "TRUE", "true"),
    *("yes", "1,0", "+-1"),
)


NAMES = {"truth": "label", "probability": "score"}


@pytest.mark.parametrize(
    ("kind", "column"), [(kind, column) for kind in CELLS for column in CELLS[kind]]
)
def test_cells_that_people_do_not_mean_are_refused_with_line_and_column(
    tmp_path, kind: str, column: str
):
    text, read = TABLES[kind]
    path = tmp_path / f"{'dataset' if kind == 'dataset' else 'table'}.csv"
    (tmp_path / "images").mkdir()
    (tmp_path / "images/IMG1.jpg").write_bytes(b"x")
    header, row = (line.split(",") for line in text.splitlines())
    at = header.index(column)
    whole = column not in ("score", "probability", "accuracy")
    for bad in (*NOT_CELLS, *(("1.0", "01", "") if whole else ())):
        changed = [*row[:at], f'"{bad}"', *row[at + 1 :]]
        write(path, f"{','.join(header)}\n{','.join(changed)}\n")
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}:2: ")
        assert NAMES.get(column, column) in str(caught.value)
        assert repr(bad) in str(caught.value) or bad in str(caught.value)


@pytest.mark.parametrize("name", ["train_image_paths.csv", "train_labeled_studies.csv"])
def test_tables_of_mura_are_as_strict(tmp_path, name):
    image = "train/XR_ELBOW/patient00001/study1_positive/image1.png"
    (tmp_path / image).parent.mkdir(parents=True)
    (tmp_path / image).write_bytes(b"x")
    line = image if "paths" in name else f"{image.rpartition('/')[0]}/,1"
    table = write(tmp_path / name, f"{line}\r\n")
    assert len(scan(tmp_path, MuraSource()).rows) == 1
    for bad in (f"{line} \0\n", f"{line},1\n", f'"{line}\n', f"{line}\n".encode("utf-16")):
        write(table, bad)
        with pytest.raises(UserError, match=name):
            scan(tmp_path, MuraSource())
    if "studies" in name:
        for label in (" 1", "1 ", "1.0", "\xa01", "１", "TRUE", ""):
            write(table, line[:-1] + label)
            with pytest.raises(UserError, match=r"csv:1: .* does not end in ,0 or ,1"):
                scan(tmp_path, MuraSource())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1," + "x" * 32_768 + "\n", ":2: a cell has 32768 characters, too many"),
        ("a,b\n1," + "x" * 131_000 + "\n", ":2: a cell has 131000 characters, too many"),
        ("a\n1\n" + "x" * 30_000 + "\n" + "1\n" * 5000, ":3: a cell has 30000 characters, too"),
        ("a,b\n" + "," * 1000 + "\n", ":2: has 1001 columns, more than 1000"),
        ("a,b\n" + "x" * 140_000 + "\n", ":2: the line has more than 131072 characters"),
        ('a,b\n1,"' + "x\n" * 100_000 + '"\n', ": is not CSV: field larger than field limit"),
        (b"a" * (2**26 + 1), ": is larger than 64 MiB; divide the table"),
    ],
    ids=["long id", "longer id", "long id of many", "columns", "line", "quoted lines", "bytes"],
)
def test_table_beyond_a_limit_is_refused_with_its_place(tmp_path, content, message):
    path = write(tmp_path / "t.csv", content)
    with pytest.raises(UserError) as caught:
        read_csv_table(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_table_of_too_many_rows_is_refused_with_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr("elbow_core.tables.reading.MAX_ROWS", 3)
    path = write(tmp_path / "t.csv", "a\n1\n2\n3\n")
    with pytest.raises(UserError, match=r"t\.csv:4: has more than 3 rows; divide the table"):
        read_csv_table(path)


def test_cell_at_the_limit_is_read(tmp_path):
    (row,) = cells(write(tmp_path / "t.csv", f"a,b\n1,{'ü' * 32_767}\n"))
    assert len(row["b"]) == 32_767


def test_pipe_in_place_of_a_table_is_refused_and_does_not_wait(tmp_path):
    path = tmp_path / "table.csv"
    os.mkfifo(path)
    with pytest.raises(UserError, match="cannot be read: is not a regular file"):
        read_csv_table(path)


def test_table_is_read_from_a_pipe_that_the_shell_opened():
    read, write = os.pipe()
    os.write(write, b"a,b\n1,2\n")
    os.close(write)
    try:
        assert read_csv_table(Path(f"/dev/fd/{read}")).rows[0].cells == {"a": "1", "b": "2"}
    finally:
        os.close(read)
