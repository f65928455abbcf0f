"""The report's page: for a phone, for a screen reader, in a real browser."""

import itertools
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import pytest

from elbow_core.evaluation.report.__main__ import main
from tests.support.report_inputs import options_with_everything, write_inputs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_inputs(folder)
    assert main(options_with_everything(folder, folder / "out")) == 0
    return folder / "out"


class Outline(HTMLParser):
    """Collects what a screen reader steers by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


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


def test_every_picture_has_words_and_every_table_header_a_scope(page):
    assert all(image["alt"] for image in page.all("img"))
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 0


def browse(page: Path, *options: str) -> tuple[str, str]:
    """What a real browser makes of a page: its document, and what it logs."""
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
    # Text and figures are there, and nothing runs off the phone's right edge.
    assert (image < 128).any(axis=2).mean() > 0.01
    assert (image[:, -8:] > 200).all()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_browser_would_say_so_if_a_page_had_an_error(tmp_path):
    """What the test above looks for does appear on a page that is wrong."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "wrong.html").write_text("<script>console.error('wrong')</script>")
    _, log = browse(folder / "wrong.html", "--dump-dom")
    assert "CONSOLE" in log
