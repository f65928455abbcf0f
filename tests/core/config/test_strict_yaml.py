import math

import pytest
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


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back_from_its_repr(value):
    parsed = parse_yaml(repr(value))
    assert parsed == value
    assert math.copysign(1, parsed) == math.copysign(1, value)
