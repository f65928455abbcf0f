import pytest

from elbow_core.files.strict_json import parse_json, read_json


def test_plain_json_is_read(tmp_path):
    (tmp_path / "file").write_text('{"a": [1, 2.5, null, true, "ü"], "b": {"a": 1e-3}}')
    assert read_json(tmp_path / "file") == {"a": [1, 2.5, None, True, "ü"], "b": {"a": 1e-3}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1, "a": 1}', "the key 'a' is repeated"),
        (b'[{"b": {"a": 1, "c": 2, "a": 3}}]', "the key 'a' is repeated"),
        (b"[NaN]", "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b"1e999", "1e999 is too large"),
        (b"-1e999", "-1e999 is too large"),
        (b"9" * 5000, "integer string conversion"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[1] [2]", "Extra data"),
    ],
)
def test_anything_else_is_refused_in_one_line(content, reason):
    with pytest.raises(ValueError, match=reason) as refusal:
        parse_json(content)
    assert len(str(refusal.value).splitlines()) == 1


def test_longer_file_than_the_limit_is_refused(tmp_path):
    (tmp_path / "file").write_text("[1, 2, 3]")
    with pytest.raises(OSError, match="has more than 5 bytes"):
        read_json(tmp_path / "file", 5)
