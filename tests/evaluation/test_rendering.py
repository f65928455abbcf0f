"""Blocks of a document as HTML and Markdown, and figures as SVG."""

import math
import re
import xml.etree.ElementTree as ET

import pytest

from elbow_core.evaluation.pages import embed_svg
from elbow_core.evaluation.report.figures import COLOURS, canvas, drawn_in_style, panels, save_svg
from elbow_core.evaluation.report.rendering import (
    FigureGrid,
    Gallery,
    Interval,
    IntervalRow,
    IntervalTable,
    Paragraph,
    Picture,
    Table,
    render_html,
    render_markdown,
)
from tests.support.pages import Outline

SVG = b'<svg width="72pt" height="36pt" viewBox="0 0 72 36" xmlns="http://www.w3.org/2000/svg"/>'


def intervals(low: float, value: float = 0.8) -> IntervalTable:
    cell = Interval(value, low, 0.9, f"{value} ({low} to 0.9)")
    return IntervalTable("All", ("Model", "Area", "Note"), (IntervalRow("a", (cell, "b"), 8),))


@pytest.mark.parametrize(("low", "start"), [(0.7, "0.5"), (0.5, "0.5"), (0.42, "0.4"), (0.0, "0")])
def test_scale_of_intervals_begins_at_one_half_or_the_tenth_below_the_lowest_end(
    tmp_path, low, start
):
    page = render_html("T", [intervals(low)], tmp_path)
    assert f"<span>{start}</span><span>1</span>" in page
    x1, x2 = re.findall(r'class="range" x1="([0-9.]+)%" x2="([0-9.]+)%"', page)[0]
    begin = float(start)
    assert float(x1) == pytest.approx(100 * (low - begin) / (1 - begin), abs=0.01)
    assert float(x2) == pytest.approx(100 * (0.9 - begin) / (1 - begin), abs=0.01)
    assert 'class="series1"' in page


def test_undefined_interval_is_no_drawing_and_an_undefined_value_no_dot(tmp_path):
    page = render_html("T", [intervals(math.nan)], tmp_path)
    assert 'class="range"' not in page
    assert "<circle" in page
    assert "<circle" not in render_html("T", [intervals(math.nan, math.nan)], tmp_path)


def test_intervals_are_a_table_of_text_in_markdown():
    assert "| a | 0.8 (0.7 to 0.9) | b |" in render_markdown("T", [intervals(0.7)])


def test_folded_table_shows_its_caption_and_its_number_of_rows(tmp_path):
    table = Table("Long", ("A", "B"), (("x", "1"), ("y", "2")), folded=True)
    page = render_html("T", [table], tmp_path)
    assert '<details><summary>Long <span class="count">(2 rows)</span></summary>' in page
    assert Outline(page).open == []
    assert "| y | 2 |" in render_markdown("T", [table])


def test_pictures_beside_each_other_share_a_caption(tmp_path):
    (tmp_path / "a.svg").write_bytes(SVG)
    other = Picture("a.svg", "other", "")
    pair = Picture("a.svg", "first", "both", beside=(other,))
    page = render_html("T", [Gallery((pair,)), FigureGrid((other,))], tmp_path)
    assert [image["alt"] for image in Outline(page).all("img")] == ["first", "other", "other"]
    assert page.count("both") == 1
    assert "- ![first](a.svg) ![other](a.svg) both" in render_markdown("T", [Gallery((pair,))])


def test_lead_is_bold_in_markdown():
    assert "\n**Yes\\*.**\n" in render_markdown("T", [Paragraph("Yes*.", lead=True)])


def test_svg_is_embedded_in_css_pixels_and_needs_its_size_in_points():
    assert 'width="96" height="48"' in embed_svg(SVG, "alt", 4 / 3)
    with pytest.raises(ValueError, match="width and height in points"):
        embed_svg(b'<svg width="100%" height="36pt"/>', "alt")


@drawn_in_style
def figure(label: str):
    drawn = canvas()
    (axes,) = panels(drawn)
    for index, colour in enumerate(COLOURS):
        axes.plot([0, 1], [index, 1 / 3], color=colour, label=label)
    axes.legend()
    return drawn


def test_svg_of_equal_figures_is_equal_and_tells_neither_labels_nor_dates(tmp_path):
    for name in ("a", "b"):
        save_svg(figure("planted --> name"), tmp_path / f"{name}.svg")
    text = (tmp_path / "a.svg").read_text()
    assert (tmp_path / "b.svg").read_text() == text
    assert "planted" not in text
    assert "metadata" not in text
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"


def test_svg_has_another_colour_on_a_dark_page_for_each_of_its_own(tmp_path):
    save_svg(figure("name"), tmp_path / "a.svg")
    style, _, shapes = (tmp_path / "a.svg").read_text().partition("</style>")
    drawn = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", shapes))
    replaced = set(re.findall(r'\*="(?:fill|stroke): (#[0-9a-f]{6})"', style))
    assert drawn
    assert drawn <= replaced
    assert "prefers-color-scheme: dark" in style
