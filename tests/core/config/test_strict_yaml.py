import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.config import StrictYamlError, format_yaml, parse_yaml

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    PLAIN | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10
)


@settings(deadline=None)
@given(VALUES)
def test_any_value_is_read_back_unchanged(value):
    assert parse_yaml(format_yaml(value)) == value


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_is_yaml_or_an_error_of_one_line(text):
    try:
        parse_yaml(text)
    except StrictYamlError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("1.", 1.0),
        ("-.5", -0.5),
        ("0.10", 0.1),
        ("true", True),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("0012", "0012"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1_0.5", "1_0.5"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("0b1", "0b1"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("nan", "nan"),
        ("１２", "１２"),
        ("1２", "1２"),
        ("３.５", "３.５"),
        ("1e３", "1e３"),
        ("٣", "٣"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("1,5", "1,5"),
        ("+12", 12),
        ("12:30", "12:30"),
        ("2020-01-31", "2020-01-31"),
        ("1.2.3", "1.2.3"),
        ("e3", "e3"),
        (".", "."),
        ("'12'", "12"),
        ('"true"', "true"),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, value):
    parsed = parse_yaml(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\t3", 1, "a tab; use spaces"),
        ("a: 1\nb: 3\t# comment", 2, "a tab; use spaces"),
        ("a:\n\tb: 3", 2, "a tab; use spaces"),
        ("a: [1,\t2]", 1, "a tab; use spaces"),
        (
            "a: \xa03",
            1,
            "'\\xa03' starts or ends with a blank or an invisible character; remove it",
        ),
        ("b: 1\na: 3\xa0", 2, "'3\\xa0' starts or ends"),
        ("b: 1\n\xa0\xa0a: 3", 2, "'\\xa0\\xa0a' starts or ends"),
        ("a\u200b: 3", 1, "'a\\u200b' starts or ends"),
        ("a: [x\u3000, y]", 1, "'x\\u3000' starts or ends"),
        ("a: 1\na: 2", 2, "key 'a' is repeated"),
        ("a: 1\n'a': 2", 2, "key 'a' is repeated"),
        ("a: {b: 1, b: 2}", 1, "key 'b' is repeated"),
    ],
)
def test_what_would_be_read_otherwise_than_it_looks_is_refused(text, line, message):
    with pytest.raises(StrictYamlError) as caught:
        parse_yaml(text)
    assert str(caught.value).startswith(message)
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["\xa0x", "x\u200b", "\ufeffx", "\u3000", " x", "x\n", "\tx"])
def test_text_with_outer_blanks_is_kept_in_quotes(text):
    assert parse_yaml(format_yaml({text: [text]})) == {text: [text]}
    assert parse_yaml(f"a: '{text.strip()}\xa0'") == {"a": f"{text.strip()}\xa0"}


@pytest.mark.parametrize(
    "text", ["runs/x", " x", "x ", "x\n", "a\tb", "no", "0012", "ä b", "a\xa0b"]
)
def test_text_without_such_blanks_is_written_as_pyyaml_writes_it(text):
    assert format_yaml({"a": text}) == yaml.safe_dump({"a": text}, width=100, allow_unicode=True)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back_from_its_repr(value):
    parsed = parse_yaml(repr(value))
    assert parsed == value
    assert math.copysign(1, parsed) == math.copysign(1, value)
