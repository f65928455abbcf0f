"""The page of a label audit: well formed, and without a network."""

import itertools
import re

import pytest

from elbow_core.evaluation.pages import render_page
from tests.support.label_pages import IMAGES, write_hostile
from tests.support.pages import Outline


@pytest.fixture(scope="module")
def outline(folder) -> Outline:
    return Outline((folder / "few/labels.html").read_text())


def test_page_is_well_formed_and_its_policy_admits_its_own_script_and_style_alone(outline):
    assert outline.open == []
    assert outline.all("html") == [{"lang": "en"}]
    (policy,) = [
        meta["content"] or ""
        for meta in outline.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.keys() >= {"script-src", "style-src"}
    for name, sources in rules.items():
        expected = "data:" if name == "img-src" else r"'none'|'sha256-[\w+/]{43}='"
        assert re.fullmatch(expected, sources), name
    assert "connect-src" not in rules
    assert rules["default-src"] == "'none'"


def test_page_loads_nothing_and_has_no_inline_handler_or_style(outline):
    assert outline.all("script") == [{"type": "module"}]
    assert outline.all("iframe", "object", "form", "base") == []
    for tag, attributes in outline.tags:
        for name, value in attributes.items():
            assert name != "style", tag
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href"):
                assert (value or "").startswith("data:")


def test_headings_step_down_by_one_and_every_picture_has_a_description(outline):
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels == [1, *[2] * IMAGES]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all(image["alt"] for image in outline.all("img"))
    assert len(outline.all("img")) == IMAGES + 2  # a near-duplicate beside each of a pair
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_style_or_script_that_ends_its_own_element_is_refused():
    for text in ({"style": "</style>"}, {"script": "'</script>'"}):
        with pytest.raises(ValueError, match="must not contain"):
            render_page("title", "<p>text</p>", **text)


def test_hostile_name_of_an_image_is_text_and_no_formula(tmp_path):
    write_hostile(tmp_path)
    text = (tmp_path / "out/labels.html").read_text()
    page = Outline(text)
    assert page.open == []
    assert page.all("script") == [{"type": "module"}]
    assert "\u202e" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
