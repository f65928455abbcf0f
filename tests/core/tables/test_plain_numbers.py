"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elbow_core.tables.plain_numbers import parse_number, parse_whole_number

NOT_NUMBERS = (
    *("", " ", " 1", "1 ", "\xa01", "1\xa0", "1\u200b", "1\n", "1_000", "0_1", "1,5", "1.5.2"),
    *("nan", "NaN", "inf", "-inf", "infinity", "1e999", "-1e999", "0x10", "0b1", "1e", "e3"),
    *("１", "１.５", "٣", "−1", "½", "1%", "1/2", "--1", "1-", ".", "+", "TRUE", "None", "1e1.5"),
)


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_text_that_is_not_plainly_a_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a number") as caught:
        parse_number(text)
    assert str(caught.value).startswith(repr(text))
    with pytest.raises(ValueError, match="is not a whole number"):
        parse_whole_number(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_read_as_python_writes_it(value):
    assert parse_number(repr(value)) == value
    assert parse_number(f"{value:.17e}") == value


def test_numbers_outside_the_limits_are_refused_with_them():
    assert parse_number("1", 0, 1) == 1
    for text in ("1.0000001", "-0.1"):
        with pytest.raises(ValueError, match=f"'{text}' is not a number from 0 to 1"):
            parse_number(text, 0, 1)
    with pytest.raises(ValueError, match="'0,5' is not a number; write a decimal point"):
        parse_number("0,5")


@pytest.mark.parametrize("text", ["1.0", "01", "-1", "+1", "1e3", "1000000000"])
def test_whole_numbers_are_digits_alone(text):
    with pytest.raises(ValueError, match="is not a whole number"):
        parse_whole_number(text)
    assert parse_whole_number("0") == 0
    assert parse_whole_number("999999999") == 999_999_999
