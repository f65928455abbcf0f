"""Ids that people take for one are one; ids that they tell apart are two."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elbow_core.identity import has_outer_blanks, normalise_id, normalise_image_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INVISIBLE = ("\0", "\x07", "\u00ad", "\u034f", "\u200b", "\u200d", "\u200e", "\u2060", "\ufe0f")
BLANKS = (" ", "\t", "\r\n", "\xa0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000")


@pytest.mark.parametrize(
    "spelling",
    [
        "P1",
        "p1",
        "P1 ",
        *(f"{blank}P1{blank}" for blank in BLANKS),
        *(f"P{invisible}1{invisible}" for invisible in INVISIBLE),
        "\ufeffP1",
        "\u200b P1 \u200b",
        "Ｐ１",
        "p１",
        "P١",  # Arabic-Indic
        "P१",  # Devanagari
    ],
)
def test_spellings_of_one_patient_are_one(spelling):
    assert normalise_id(spelling) == "p1"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("müller", unicodedata.normalize("NFD", "MÜLLER")),
        ("Weiß", "WEISS"),
        ("Ångström", "\u212bngström"),  # the sign for ångström
        ("Doe  John", "doe\xa0john"),
        ("ｶﾞ", "ガ"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("葛\U000e0100", "葛"),
        ("ᾳ\u0301", "\u1fb4"),
    ],
)
def test_letters_in_another_form_or_case_are_equal(first, second):
    assert normalise_id(first) == normalise_id(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("P1", "P2"),
        ("P1", "P01"),
        ("P1", "P-1"),
        ("P12", "P1 2"),
        ("P2", "P²"),
        ("muller", "müller"),
        ("P1", "Р1"),  # Cyrillic
    ],
)
def test_ids_that_people_tell_apart_stay_apart(first, second):
    assert normalise_id(first) != normalise_id(second)
    assert normalise_image_id(first) != normalise_image_id(second)


@pytest.mark.parametrize("plain", ["p1", "patient00001/elbow/study1", "müller/1", "a b"])
def test_normal_ids_are_kept_as_they_are(plain):
    assert normalise_id(plain) == plain
    assert normalise_image_id(plain) == plain


def test_id_of_blanks_and_invisible_characters_is_empty():
    for text in ("", " ", "\xa0\u200b", "\0", "\u3000"):
        assert normalise_id(text) == normalise_image_id(text) == ""


def test_images_differ_by_case_and_width_but_not_by_form_or_outer_blanks():
    decomposed = unicodedata.normalize("NFD", "Hüfte/P1.png")
    assert normalise_image_id(f"\ufeff{decomposed}\xa0") == "Hüfte/P1.png"
    assert normalise_image_id("P1.png") != normalise_image_id("p1.png")
    assert normalise_image_id("P１.png") != normalise_image_id("P1.png")
    assert normalise_image_id("a  b.png") == "a  b.png"


@given(TEXT)
def test_normal_form_is_its_own_normal_form_and_that_of_every_unicode_form(text):
    found, image = normalise_id(text), normalise_image_id(text)
    assert normalise_id(found) == found
    assert normalise_image_id(image) == image
    assert normalise_id(image) == found
    for form in ("NFC", "NFD"):
        assert normalise_id(unicodedata.normalize(form, text)) == found
        assert normalise_image_id(unicodedata.normalize(form, text)) == image


@given(TEXT)
def test_normal_forms_have_no_outer_blanks(text):
    assert not has_outer_blanks(normalise_id(text))
    assert not has_outer_blanks(normalise_image_id(text))


def test_outer_blanks_are_found_at_both_ends():
    for text in (*BLANKS, "\u200b", "\ufeff"):
        assert has_outer_blanks(f"{text}a")
        assert has_outer_blanks(f"a{text}")
        assert not has_outer_blanks(f"a{text}b")
    assert not has_outer_blanks("")
