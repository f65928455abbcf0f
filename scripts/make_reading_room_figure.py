"""Write the screenshot of docs/reading_room.md, of synthetic radiographs.

    python -m scripts.make_reading_room_figure --url http://127.0.0.1:8000/ --out docs/figures

The server is one that `python -m reading_room --model DIR` has started. Needs Chromium and
playwright's Python package.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file, require_output_file
from elbow_core.sources.synthetic import render_radiograph

NAME = "reading_room.webp"
_FINDINGS = (
    ("supracondylar_fracture", 3),
    ("normal", 5),
    ("radial_head_fracture", 8),
    ("contusion", 11),
    ("dislocation", 2),
)
_MILLISECONDS = 120_000
_QUALITY = 70


def write_radiographs(folder: Path) -> None:
    """Write studies of two views, in a folder each."""
    for number, (finding, seed) in enumerate(_FINDINGS, start=1):
        for place, view in enumerate(("ap", "lateral")):
            rng = np.random.default_rng([seed, place])
            image = render_radiograph(rng, view, finding, 480, "elbow").pixels
            path = folder / f"set/study {number}/{view}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)


def screenshot(url: str, folder: Path) -> bytes:
    """Return the page as PNG, with the highest score open under its heat map."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"], timeout=_MILLISECONDS
        )
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(_MILLISECONDS)
        page.goto(url)
        page.locator("#models:not(:empty)").wait_for()
        page.locator("#folders").evaluate("box => box.click()")
        page.set_input_files("#folder-files", str(folder / "set"))
        page.locator("#announcement", has_text="read").wait_for(state="attached")
        page.keyboard.press("Home")
        page.keyboard.press("h")
        for message in page.locator(".pane .message").all():
            message.wait_for(state="hidden")
        page.wait_for_timeout(500)
        png = page.screenshot()
        browser.close()
    return png


def main(arguments: Sequence[str]) -> int:
    """Write the figure and print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", required=True, help="address that the server printed")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder to write to")
    options = parser.parse_args(arguments)
    if shutil.which("chromium") is None:
        raise UserError("chromium is not installed")
    require_output_file(options.out / NAME, "--out", make_folder=True)
    with tempfile.TemporaryDirectory() as folder:
        write_radiographs(Path(folder))
        image = cv2.imdecode(np.frombuffer(screenshot(options.url, Path(folder)), np.uint8), 1)
    assert image is not None
    encoded = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    with atomic_file(options.out / NAME) as partial:
        partial.write_bytes(encoded.tobytes())
    print(options.out / NAME)
    return 0


if __name__ == "__main__":
    run(main)
