"""The report's HTML page: on a phone, for a screen reader, in a real browser."""

import itertools
import re
import subprocess
from pathlib import Path

import cv2
import pytest

from elbow_core.evaluation.report.__main__ import main
from elbow_core.evaluation.report.rendering import Heading, Table, render_html
from tests.support.pages import CHROMIUM, Outline
from tests.support.report_inputs import every_option, write_inputs


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_inputs(folder)
    assert main(every_option(folder, folder / "out")) == 0
    return folder / "out"


@pytest.fixture(scope="module", params=["report.html", "checklist.html"])
def page(request, report) -> Outline:
    return Outline((report / request.param).read_text())


def test_page_is_well_formed_english_and_fits_a_phone(page):
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert len(page.all("main")) == len(page.all("title")) == 1


def test_page_loads_nothing_from_elsewhere_and_runs_no_script(page):
    assert page.all("script", "iframe", "object") == []
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith(("data:", "#"))


def test_headings_step_down_by_one_and_links_lead_to_them(page):
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(link["href"] or "")[1:] for link in page.all("a")} == set(ids)


def test_every_picture_has_a_description_and_every_table_header_a_scope(page):
    assert all(image["alt"] for image in page.all("img"))
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 0


def test_pictures_of_intervals_are_hidden_from_screen_readers_and_their_table_keeps_its_roles(page):
    assert all(drawing["aria-hidden"] == "true" for drawing in page.all("svg"))
    for attributes in page.all("table"):
        if "intervals" in (attributes.get("class") or ""):
            assert attributes["role"] == "table"


def browse(page: Path, *options: str) -> tuple[str, str]:
    """Open a page in a real browser; return the document and the log."""
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    home = f"--user-data-dir={page.parent.parent / 'browser'}"
    command = [CHROMIUM, *flags, home, *options, page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return ran.stdout, ran.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_shows_the_page_without_an_error(report, tmp_path):
    shot = tmp_path / "shot.png"
    size = ["--window-size=390,2400", "--hide-scrollbars", f"--screenshot={shot}"]
    _, log = browse(report / "report.html", *size)
    assert "CONSOLE" not in log
    image = cv2.imread(str(shot))
    assert image is not None
    assert image.shape[1] == 390
    # The page is not blank, and nothing reaches the phone's right edge.
    assert (image < 128).any(axis=2).mean() > 0.01
    assert (image[:, -8:] > 200).all()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_folded_tables_are_open_on_paper(tmp_path):
    rows = tuple((f"row {number}", "1") for number in range(150))
    folder = tmp_path / "pages"
    folder.mkdir()
    pages = {}
    for folded in (False, True):
        table = Table("Long", ("Name", "Number"), rows, folded=folded)
        (folder / "page.html").write_text(render_html("Title", [Heading(2, "One"), table], folder))
        browse(folder / "page.html", f"--print-to-pdf={folder / 'page.pdf'}")
        pages[folded] = len(re.findall(rb"/Type\s*/Page\b", (folder / "page.pdf").read_bytes()))
    assert pages[True] >= pages[False] > 1


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_logs_the_error_of_a_faulty_page(tmp_path):
    """Prove that the log line that the test above excludes exists."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "wrong.html").write_text("<script>console.error('wrong')</script>")
    _, log = browse(folder / "wrong.html", "--dump-dom")
    assert "CONSOLE" in log
