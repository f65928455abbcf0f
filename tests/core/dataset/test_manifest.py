from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.dataset import read_manifest, validate_manifest, write_manifest
from elbow_core.dataset.manifest import COLUMNS
from elbow_core.errors import ManifestError, UserError
from elbow_core.identity import normalise_image_id
from tests.support.tiny_images import row

HEADER = ",".join(COLUMNS)
ROWS = [
    row("p1_a", split="train", sha256="0" * 64, height=400, width=300),
    row("p2, the second", path="deep/p2, the second.png", label=1, view="lateral"),
    row('p3 "quoted"', finding="Bruch, älter", view=""),
]


def fails(path: Path) -> str:
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


def line(**changes: object) -> str:
    values = {name: str(getattr(ROWS[0], name)) for name in COLUMNS}
    return ",".join(str(value) for value in (values | changes).values())


def test_columns_are_the_documented_ones():
    assert HEADER == (
        "image_id,path,label,split,patient_id,study_id,view,body_part,finding,source,sha256,"
        "height,width"
    )


def test_written_rows_come_back_equal(tmp_path):
    write_manifest(tmp_path / "m.csv", ROWS)
    assert read_manifest(tmp_path / "m.csv") == ROWS
    assert read_manifest(str(tmp_path / "m.csv")) == ROWS


def test_attributes_come_back_equal_and_unknown_ones_are_empty_cells(tmp_path):
    rows = [
        row("a", attributes=(("age", "34"), ("scanner", "A, B"))),
        row("b", attributes=(("sex", "F"),)),
        row("c"),
    ]
    write_manifest(tmp_path / "m.csv", rows)
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert lines[0] == f"{HEADER},attribute:age,attribute:scanner,attribute:sex"
    assert lines[1].endswith(',34,"A, B",')
    assert lines[3].endswith(",,,")
    assert read_manifest(tmp_path / "m.csv") == rows


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ((("sex", "F"), ("age", "3")), "attributes are not sorted, repeated or empty"),
        ((("sex", "F"), ("sex", "M")), "attributes are not sorted, repeated or empty"),
        ((("sex", ""),), "attributes are not sorted, repeated or empty"),
        ((("", "F"),), "attributes are not sorted, repeated or empty"),
        ((("sex", " F"),), "sex: ' F' starts or ends with a space"),
        ((("sex ", "F"),), "attribute: 'sex ' starts or ends with a space"),
        ((("sex", "F\t"),), "sex: 'F\\t' contains a control character"),
        ((("s" * 101, "F"),), "has more than 100 characters"),
    ],
)
def test_attributes_that_could_not_be_read_back_are_not_written(tmp_path, attributes, message):
    with pytest.raises(ManifestError) as caught:
        write_manifest(tmp_path / "m.csv", [row("a", attributes=attributes)])
    assert message in str(caught.value)
    assert not (tmp_path / "m.csv").exists()


def test_file_is_utf8_with_plain_line_ends(tmp_path):
    write_manifest(tmp_path / "m.csv", ROWS)
    data = (tmp_path / "m.csv").read_bytes()
    assert data.startswith(HEADER.encode() + b"\n")
    assert b"\r" not in data
    assert "älter".encode() in data


def test_byte_order_mark_crlf_and_missing_last_newline_are_accepted(tmp_path):
    write_manifest(tmp_path / "m.csv", ROWS)
    text = (tmp_path / "m.csv").read_text(encoding="utf-8").rstrip("\n")
    (tmp_path / "w.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_manifest(tmp_path / "w.csv") == ROWS


def test_columns_in_another_order_are_accepted(tmp_path):
    path = tmp_path / "m.csv"
    backwards = ",".join(reversed(COLUMNS))
    path.write_text(f"{backwards}\n{','.join(reversed(line().split(',')))}\n")
    assert read_manifest(path) == [ROWS[0]]


def test_empty_lines_are_skipped_but_counted(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(f"{HEADER}\n\n{line()}\n\n{line(image_id='b', label=2)}\n")
    assert fails(path).startswith(":5: label")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f": is empty; the first line must be {HEADER}"),
        (HEADER.replace("label,", "") + "\n", ":1: missing columns: label"),
        (HEADER + ",extra\n", ":1: unknown columns: extra"),
        (HEADER + ",attribute:\n", ":1: unknown columns: attribute:"),
        (HEADER + ",attribute:a,attribute:a\n", ":1: repeated columns: attribute:a"),
        (HEADER + ",label\n", ":1: repeated columns: label"),
        (f"{HEADER}\na,b\n", ":2: 2 values under 13 columns"),
        (f'{HEADER}\n"a"b,c\n', ":2: is not CSV: ',' expected after '\"'"),
    ],
)
def test_broken_table_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "m.csv"
    path.write_text(text)
    assert fails(path) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "2"}, "label: 2 is neither 0 (normal) nor 1 (injury)"),
        ({"label": "injury"}, "label: 'injury' is not a whole number"),
        ({"label": ""}, "label: '' is not a whole number"),
        ({"label": "1.0"}, "label: '1.0' is not a whole number"),
        ({"height": "-1"}, "height: '-1' is not a whole number"),
        ({"width": "1e3"}, "width: '1e3' is not a whole number"),
        ({"split": "val"}, "split: 'val' is not one of train, validation, test"),
        ({"view": "AP"}, "view: 'AP' is not one of ap, lateral, oblique"),
        ({"sha256": "abc"}, "sha256: 'abc' is not 64 hexadecimal digits"),
        ({"image_id": ""}, "image_id: is empty"),
        ({"patient_id": ""}, "patient_id: is empty"),
        ({"patient_id": " p1"}, "patient_id: ' p1' starts or ends with a space"),
        ({"finding": "a\tb"}, "finding: 'a\\tb' contains a control character"),
        ({"path": ""}, "path: '' names no file"),
        ({"path": "."}, "path: '.' names no file"),
        ({"path": "../a.png"}, "path: '../a.png' is outside the data root"),
        ({"path": "a/../../b.png"}, "path: 'a/../../b.png' is outside the data root"),
        (
            {"path": "/data/a.png"},
            "path: '/data/a.png' is absolute; give it relative to the data root",
        ),
    ],
)
def test_bad_value_is_named_with_line_and_column(tmp_path, changes, message):
    path = tmp_path / "m.csv"
    path.write_text(f"{HEADER}\n{line()}\n{line(**({'image_id': 'other'} | changes))}\n")
    assert fails(path) == f":3: {message}"


def test_duplicate_id_names_both_lines(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(f"{HEADER}\n{line()}\n{line(image_id='b')}\n{line()}\n")
    assert fails(path) == ":4: image_id: 'p1_a' is already on line 2"


def test_line_numbers_are_correct_after_a_quoted_line_break(tmp_path):
    path = tmp_path / "m.csv"
    quoted = line(image_id='"a\nb"')
    path.write_text(f"{HEADER}\n{quoted}\n")
    assert fails(path) == ":3: image_id: 'a\\nb' contains a control character"


def test_missing_folder_and_binary_files_are_manifest_errors(tmp_path):
    assert "cannot be read" in fails(tmp_path / "no.csv")
    assert "cannot be read" in fails(tmp_path)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    assert fails(tmp_path / "b.csv") == ": cannot be read: it is UTF-16 text; save it as UTF-8"
    (tmp_path / "b.csv").write_bytes(b"a\n\xff")
    assert fails(tmp_path / "b.csv") == (
        ": cannot be read: line 2 is not UTF-8 text; save it as UTF-8"
    )


def test_row_that_could_not_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "m.csv"
    write_manifest(path, ROWS[:1])
    before = path.read_bytes()
    for bad in (row("b", path="../b.png"), row("b", label=3), ROWS[0]):
        with pytest.raises(ManifestError):
            write_manifest(path, [ROWS[0], bad])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.csv"]


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
IDS = TEXT.filter(bool)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(IDS, IDS, TEXT, st.sampled_from([0, 1])),
        unique_by=lambda value: normalise_image_id(value[0]),
    )
)
def test_any_printable_text_survives_writing_and_reading(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("m") / "m.csv"
    rows = [
        row(image, path="a.png", patient_id=patient, study_id=patient, finding=finding, label=label)
        for image, patient, finding, label in values
    ]
    write_manifest(path, rows)
    assert read_manifest(path) == rows


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_rows_or_a_manifest_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("m") / "m.csv"
    for content in (text, f"{HEADER}\n{text}", f"{HEADER}\n{line()}\n{text}"):
        path.write_text(content, encoding="utf-8", newline="")
        try:
            rows = read_manifest(path)
        except ManifestError:
            continue
        assert len(rows) <= content.count("\n") + content.count("\r")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    for name in ("p1_a.png", "deep/p2, the second.png", 'p3 "quoted".png'):
        (root / name).write_bytes(b"x")
    return root


def test_complete_data_root_is_valid(root):
    validate_manifest(ROWS, root)


def test_missing_file_duplicate_id_and_duplicate_path_are_refused(root):
    with pytest.raises(ManifestError, match=r"gone\.png: is in the manifest but does not exist"):
        validate_manifest([row("gone")], root)
    with pytest.raises(ManifestError, match="'p1_a' is repeated"):
        validate_manifest([ROWS[0], replace(ROWS[1], image_id="p1_a")], root)
    with pytest.raises(ManifestError, match="is the path of both 'p1_a' and 'b'"):
        validate_manifest([ROWS[0], replace(ROWS[0], image_id="b")], root)


def test_link_out_of_the_root_is_refused_and_one_inside_is_not(root, tmp_path):
    (tmp_path / "outside.png").write_bytes(b"x")
    (root / "inside.png").symlink_to("p1_a.png")
    validate_manifest([row("inside")], root)
    (root / "out.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(ManifestError, match="is a link to a file outside the data root"):
        validate_manifest([row("out")], root)
    (root / "folder").symlink_to(tmp_path)
    with pytest.raises(ManifestError, match="is a link to a file outside the data root"):
        validate_manifest([row("x", path="folder/outside.png")], root)


def test_data_root_may_itself_be_reached_by_a_link(root, tmp_path):
    (tmp_path / "link").symlink_to(root)
    validate_manifest(ROWS, tmp_path / "link")


def test_missing_data_root_is_named(tmp_path):
    with pytest.raises(ManifestError, match="no: the data root is not a folder"):
        validate_manifest([], tmp_path / "no")


def test_manifest_error_is_one_that_commands_print():
    assert issubclass(ManifestError, UserError)
