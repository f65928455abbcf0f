"""The page of the reading room in a real browser: by keys, by mouse, on a phone."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.reading_room.conftest import radiograph
from tests.support.pages import CHROMIUM
from tests.support.tiny_images import encode

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PATIENCE = 120_000  # milliseconds, on a machine with other work
LOGGED = (  # by the browser, also for a refusal that the page shows
    "Failed to load resource: the server responded with a status of 422",
    "Failed to load resource: net::ERR_INTERNET_DISCONNECTED",
)
SIZES = {"desk": (1366, 768), "phone": (390, 844)}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[str]:
    """Four loose radiographs, and one file that is none."""
    folder = tmp_path_factory.mktemp("files")
    findings = ("normal", "supracondylar_fracture", "normal", "dislocation")
    for number, finding in enumerate(findings):
        (folder / f"elbow{number}.png").write_bytes(radiograph(number, "ap", finding))
    (folder / "letter.pdf").write_bytes(b"%PDF-1.4")
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # takes a second

    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, as in a container.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments, timeout=PATIENCE
        )
        yield browser
        browser.close()


def opened(browser: Any, url: str, size: str = "desk") -> Iterator[Any]:
    """Open the page; at the end assert that it logged nothing and asked this server alone."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=size == "phone"
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((url, "blob:")) else troubles.append(request.url)
        ),
    )
    page.goto(url)
    page.locator("#models:not(:empty)").wait_for()
    yield page
    context.close()
    assert [trouble for trouble in troubles if not trouble.startswith(LOGGED)] == []


@pytest.fixture
def page(browser, room) -> Iterator[Any]:
    yield from opened(browser, room.url)


@pytest.fixture
def filled(page, files) -> Any:
    """The page with all files read."""
    fill(page, files)
    return page


def fill(page: Any, files: list[str] | str, field: str = "#files") -> None:
    page.set_input_files(field, files)
    page.locator("#announcement", has_text="read").wait_for(state="attached")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def current(page: Any) -> str:
    return page.locator("[aria-current] .title").inner_text()


def rows(page: Any) -> list[tuple[str, str]]:
    """Return title and score of each row, in order; a refused one has no score."""
    found = []
    for row in page.locator(".row").all():
        number = row.locator(".number")
        score = number.inner_text().split()[-1] if number.count() else ""
        found.append((row.locator(".title").inner_text(), score))
    return found


def pixels(page: Any) -> list[int]:
    """Return the mean of red, green and blue of the first radiograph as it is shown."""
    page.locator(".pane .message").first.wait_for(state="hidden")
    page.wait_for_timeout(100)  # an animation frame
    return page.locator(".pane canvas").first.evaluate(
        """canvas => {
            const { width, height } = canvas;
            const words = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            const sums = [0, 0, 0];
            words.forEach((word, place) => { if (place % 4 < 3) { sums[place % 4] += word; } });
            return sums.map((sum) => Math.round(400 * sum / words.length));
        }"""
    )


def test_worklist_is_sorted_by_score_and_the_refused_file_says_why(filled):
    found = rows(filled)
    scores = [float(score) for _, score in found[:-1]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4
    assert found[-1] == ("letter.pdf", "")
    assert "PDF file" in filled.locator(".row.refused .subtitle").inner_text()
    assert filled.locator("#progress").inner_text() == "5 studies"
    assert current(filled) == found[0][0]


def test_empty_page_says_what_to_do_and_that_it_is_no_medical_device(page):
    assert page.locator(".start").is_visible()
    assert not page.locator(".viewer").is_visible()
    assert "Not a medical device" in page.locator("footer").inner_text()
    assert page.locator("#models").inner_text() == "elbows"


def test_arrows_home_and_end_lead_through_the_list(filled):
    titles = [title for title, _ in rows(filled)]
    press(filled, "Home")
    assert current(filled) == titles[0]
    press(filled, "ArrowDown", "ArrowDown")
    assert current(filled) == titles[2]
    assert titles[2] in filled.locator("#announcement").inner_text()
    press(filled, "ArrowUp", "ArrowUp", "ArrowUp")
    assert current(filled) == titles[0]
    press(filled, "End", "ArrowDown")
    assert current(filled) == "letter.pdf"
    assert filled.locator(".reading .answer").inner_text() == "No score"
    filled.locator(".row").nth(1).click()
    assert current(filled) == titles[1]
    press(filled, "Delete")
    assert [title for title, _ in rows(filled)] == [titles[0], *titles[2:]]
    assert current(filled) == titles[2]


def test_reading_says_score_answer_and_operating_points(filled):
    press(filled, "Home")
    reading = filled.locator(".reading")
    score = rows(filled)[0][1]
    assert reading.locator(".score").inner_text().endswith(score)
    assert reading.locator(".scale .bound").count() == 2
    names = reading.locator(".points th[scope=row]").all_inner_texts()
    assert set(names) == {"default", "Youden", "sensitivity 95 %", "specificity 95 %"}
    assert "at most 5 % are injury" in reading.inner_text()
    assert "The input gate flags no image." in reading.inner_text()


def test_window_invert_and_heat_map_change_the_picture_and_reset_restores_it(filled):
    press(filled, "Home")
    plain = pixels(filled)
    assert len(set(plain)) == 1
    press(filled, "i")
    assert pixels(filled) != plain
    assert filled.locator("[data-action=invert]").get_attribute("aria-pressed") == "true"
    press(filled, "r")
    assert pixels(filled) == plain
    press(filled, *"...")
    assert pixels(filled)[0] > plain[0]
    press(filled, "r", *"[[[")
    assert pixels(filled) != plain
    assert filled.locator("#width").input_value() == "208"
    press(filled, "r", "+", "+", "Shift+ArrowLeft")
    assert pixels(filled) != plain
    press(filled, "r", "h")
    filled.locator("#legend").wait_for()
    heated = pixels(filled)
    assert heated[0] > heated[2]  # from black over red to yellow
    press(filled, "h")
    assert pixels(filled) == plain


def test_views_of_a_study_stand_side_by_side_under_one_score(page, view, tmp_path):
    for position in ("LL", "AP"):
        (tmp_path / f"{position}.dcm").write_bytes(view("7", position, len(position)))
    fill(page, [str(path) for path in sorted(tmp_path.iterdir(), reverse=True)])
    assert len(rows(page)) == 1
    views = page.locator(".pane .view").all_inner_texts()
    assert views == ["AP, left", "Lateral, left"]
    boxes = [pane.bounding_box() for pane in page.locator(".pane").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert "mean of logits of 2 images" in page.locator(".verdict").inner_text()
    assert "not for joined ones" in page.locator(".verdict").inner_text()
    press(page, "ArrowRight")
    assert "Lateral" in page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_image_can_be_added_to_a_study_and_a_folder_can_be_one(page, tmp_path):
    for name in ("one/a.png", "one/b.png", "two/c.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(radiograph(len(name) + ord(name[-5])))
    page.locator("#folders").evaluate("box => box.click()")
    fill(page, str(tmp_path / "set"), "#folder-files")
    assert sorted(title for title, _ in rows(page)) == ["c.png", "one"]
    page.locator(".row", has_text="c.png").click()
    page.set_input_files("#more-files", str(tmp_path / "set/one/a.png"))
    page.locator(".images h3", has_text="Images").wait_for()
    assert page.locator(".images li").count() == 2
    assert page.locator(".pane").count() == 2
    assert len(rows(page)) == 2


def test_gate_flags_an_image_that_is_no_radiograph(page, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8)
    (tmp_path / "noise.png").write_bytes(encode(noise))
    fill(page, [str(tmp_path / "noise.png")])
    assert "may mean nothing" in page.locator(".warning").inner_text()
    assert page.locator(".row .icon.unlike").count() == 1
    assert "unlike the training images" in page.locator(".pane .flag").inner_text()


def test_score_between_the_thresholds_is_not_known(page):
    page.route(
        "**/score",
        lambda route: route.fulfill(json=scored(0.4, "uncertain")),
    )
    page.set_input_files(
        "#files", [{"name": "x.png", "mimeType": "image/png", "buffer": radiograph(0)}]
    )
    page.locator(".verdict .answer", has_text="I don’t know").wait_for()
    assert "Left to the reader: score from 0.24 to 0.55" in page.locator(".verdict").inner_text()


def scored(score: float, answer: str) -> dict[str, Any]:
    judged = {"model": "elbows", "score": score, "answer": answer}
    judged |= {"operating_point": "abstention", "gate": "ok"}
    size = {"height": 200, "width": 200}
    return {"models": [judged], "study": "", "view": "", "side": "", **size}


def test_keys_are_listed_and_can_be_switched_off(filled):
    press(filled, "Home", "?")
    assert filled.locator("dialog").is_visible()
    filled.locator("#shortcuts").uncheck()
    press(filled, "Escape")
    assert not filled.locator("dialog").is_visible()
    press(filled, "i")
    assert filled.locator("[data-action=invert]").get_attribute("aria-pressed") == "false"


def test_tab_reaches_every_control_with_a_visible_focus(filled):
    press(filled, "Home")
    seen = set()
    for _ in range(40):
        press(filled, "Tab")
        name, style, width = filled.evaluate(
            """() => {
                const style = getComputedStyle(document.activeElement);
                const { id, dataset, className, tagName } = document.activeElement;
                return [id || dataset.action || className.split(" ")[0] || tagName,
                        style.outlineStyle, style.outlineWidth];
            }"""
        )
        if name == "BODY":
            continue
        assert (style, width) != ("none", "0px"), name
        seen.add(name)
    assert {"files", "folder", "keys", "row", "heat", "invert", "level", "width", "in"} <= seen
    assert {"CANVAS", "add", "folders"} <= seen


def test_hostile_name_of_a_file_is_text(page):
    name = '"><img src=x onerror=alert(1)>.png'
    content = {"name": name, "mimeType": "image/png", "buffer": radiograph(0)}
    page.set_input_files("#files", [content])
    page.locator(".row .number").wait_for()
    assert rows(page)[0][0] == name
    assert page.locator("img").count() == 0


def test_dropped_files_are_read(page):
    transfer = page.evaluate_handle(
        """async (content) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], "dropped.png"));
            return transfer;
        }""",
        list(radiograph(3)),
    )
    page.dispatch_event("main", "dragenter", {"dataTransfer": transfer})
    assert page.locator("#drop").is_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    page.locator(".row .number").wait_for()
    assert not page.locator("#drop").is_visible()
    assert rows(page)[0][0] == "dropped.png"


def test_server_that_is_gone_is_told_and_the_list_stays(page, files):
    page.context.set_offline(True)
    page.set_input_files("#files", files[:1])
    page.locator("#notice", has_text="does not answer").wait_for()
    assert page.locator(".row.refused").count() == 1
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.locator(".row .number").wait_for()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_scrolls_sideways_and_axe_finds_nothing(browser, room, files, size):
    axe_module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    axe = axe_module.Axe()
    for page in opened(browser, room.url, size):
        assert axe.run(page).violations_count == 0
        fill(page, files)
        press(page, "Home", "h")
        page.locator("#legend").wait_for()
        for key in ("Home", "End", "?"):
            press(page, key)
            found = axe.run(page)
            assert found.violations_count == 0, found.generate_report()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == SIZES[size][0]
