"""The page of a label audit: written with a hostile name, opened and pressed in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elbow_core.dataset import read_manifest, write_manifest
from elbow_core.evaluation.labels import write_audit
from elbow_core.prepare import CORRECTION_COLUMNS
from elbow_core.tables import read_csv_table
from tests.support.label_audits import WRONG, renamed, write_data, write_scores

IMAGES = 6  # on the page of a small audit
HOSTILE = "\"><script>alert(1)</script>&amp;,=cmd\u202e'<!--"


def write_hostile(folder: Path) -> None:
    """Write an audit of which one image has a name that is markup, a formula and a bidi mark."""
    write_data(folder)
    manifest, index = folder / "prepared/manifest.csv", folder / "prepared/index.json"
    rows = renamed(read_manifest(manifest), HOSTILE)
    write_manifest(manifest, rows)
    names = index.read_text().replace(WRONG[0], HOSTILE.replace('"', '\\"'))
    index.write_text(names)
    pairs = folder / "prepared/near_duplicates.csv"
    assert WRONG[0] not in pairs.read_text()
    write_scores(folder / "scores.csv", rows)
    write_audit(folder / "scores.csv", folder / "prepared", folder / "out", IMAGES)


def opened(browser: Any, path: Path) -> Iterator[Any]:
    """Open the page; at the end assert that it logged nothing and asked for nothing."""
    page = browser.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("data:", "blob:")) or request.url == path.as_uri()
            else troubles.append(request.url)
        ),
    )
    page.goto(path.as_uri())
    yield page
    page.close()
    assert troubles == []


def press(page: Any, *keys: str) -> None:
    """Press one key after the other."""
    for key in keys:
        page.keyboard.press(key)


def heading(page: Any) -> str:
    """Return the heading of the one image that is shown."""
    (shown,) = [item for item in page.query_selector_all(".item") if item.is_visible()]
    return shown.query_selector("h2").inner_text()


def counts(page: Any) -> str:
    """Return the line that counts the verdicts."""
    return page.locator("#counts").inner_text()


def saved_rows(page: Any, folder: Path, key: str = "s") -> tuple[Path, list[dict[str, str]]]:
    """Press a key that saves; return the downloaded file and its rows."""
    with page.expect_download() as caught:
        press(page, key)
    assert caught.value.suggested_filename == "corrections.csv"
    path = folder / "corrections.csv"
    caught.value.save_as(path)
    table = read_csv_table(path)
    assert table.columns == CORRECTION_COLUMNS
    return path, [dict(row.cells) for row in table.rows]
