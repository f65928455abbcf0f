"""The page of a label audit, used in a real browser: keys, mouse, saving, leaving."""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from elbow_core.dataset import read_manifest
from elbow_core.evaluation.labels import write_audit
from elbow_core.files import sha256_of
from elbow_core.prepare import corrected_images, prepare
from tests.support.label_audits import PAIR, WRONG, write_data, write_scores
from tests.support.label_pages import (
    HOSTILE,
    IMAGES,
    counts,
    heading,
    opened,
    press,
    saved_rows,
    write_hostile,
)
from tests.support.pages import CHROMIUM
from tests.support.prepare_folders import KEY

PATIENCE = 120_000  # milliseconds, on a machine with other work

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # takes a second

    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, as in a container.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments, timeout=PATIENCE
        )
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        yield context
        browser.close()


@pytest.fixture
def page(browser, folder) -> Iterator[Any]:
    yield from opened(browser, folder / "few/labels.html")


@needs_chromium
def test_verdicts_by_keys_are_saved_and_correct_the_labels(page, folder, tmp_path):
    assert PAIR[0] in heading(page)
    press(page, "ArrowRight", "ArrowRight")
    assert WRONG[0] in heading(page)
    press(page, "c", "c", "a", "u")
    assert counts(page) == f"4 of {IMAGES} judged: 1 agree, 2 change, 1 unsure; not saved"
    assert page.locator("#progress").evaluate("bar => bar.value") == 4
    path, rows = saved_rows(page, tmp_path)
    assert "not saved" not in counts(page)
    assert [row["image_id"] for row in rows[:2]] == list(WRONG)
    told = [(row["old_label"], row["new_label"], row["verdict"]) for row in rows]
    assert told[:2] == [("0", "1", "change"), ("1", "0", "change")]
    assert [verdict for *_, verdict in told[2:]] == ["agree", "unsure"]
    assert told[2][0] == told[2][1]
    assert told[3][1] == ""
    assert {row["predictions_sha256"] for row in rows} == {sha256_of(folder / "scores.csv")}

    config, _ = write_data(tmp_path)
    before = {row.image_id: row.label for row in read_manifest(tmp_path / "prepared/manifest.csv")}
    changes = {"corrections": path, "unsure": "leave_out", "out": tmp_path / "corrected"}
    prepare(config.model_copy(update=changes))
    labels = {row.image_id: row.label for row in read_manifest(tmp_path / "corrected/manifest.csv")}
    del before[rows[3]["image_id"]]
    assert labels == before | {WRONG[0]: 1, WRONG[1]: 0}
    assert corrected_images(tmp_path / "corrected") == set(WRONG)


@needs_chromium
def test_hashed_ids_lead_from_the_page_back_to_their_images(browser, tmp_path):
    config, data = write_data(tmp_path, key=KEY)
    write_scores(tmp_path / "scores.csv", data.rows)
    write_audit(tmp_path / "scores.csv", tmp_path / "prepared", tmp_path / "out", IMAGES)
    assert WRONG[0] not in (tmp_path / "out/labels.html").read_text()
    for page in opened(browser, tmp_path / "out/labels.html"):
        press(page, "ArrowRight", "ArrowRight", "c")
        path, rows = saved_rows(page, tmp_path)
    assert re.fullmatch("[0-9a-f]{32}", rows[0]["image_id"])
    changes = {"corrections": path, "out": tmp_path / "new", "id_key": tmp_path / "prepared.key"}
    prepare(config.model_copy(update=changes))
    before = {row.image_id: row.label for row in data.rows}
    after = {row.image_id: row.label for row in read_manifest(tmp_path / "new/manifest.csv")}
    judged = rows[0]["image_id"]
    assert rows[0]["verdict"] == "change"
    assert after == before | {judged: 1 - before[judged]}


@needs_chromium
def test_undo_takes_back_one_verdict_at_a_time_and_shows_its_image(page, tmp_path):
    press(page, "a", "c", "ArrowLeft", "u")
    assert counts(page).startswith(f"2 of {IMAGES} judged: 1 agree, 0 change, 1 unsure")
    press(page, "z")
    assert PAIR[1] in heading(page)
    assert counts(page).startswith(f"2 of {IMAGES} judged: 1 agree, 1 change, 0 unsure")
    press(page, "Control+z")
    assert counts(page) == f"1 of {IMAGES} judged: 1 agree, 0 change, 0 unsure; not saved"
    _, rows = saved_rows(page, tmp_path)
    assert [(row["image_id"], row["verdict"]) for row in rows] == [(PAIR[0], "agree")]
    press(page, "z")
    assert counts(page) == f"0 of {IMAGES} judged: 0 agree, 0 change, 0 unsure"
    assert PAIR[0] in heading(page)
    press(page, "z")
    assert page.locator("#status").inner_text() == "There is nothing to undo."
    press(page, "s")
    assert page.locator("#status").inner_text() == "There is nothing to save yet."


@needs_chromium
def test_arrows_home_end_and_n_lead_to_images_and_stop_at_both_ends(page):
    press(page, "ArrowLeft")
    assert heading(page).startswith(f"Image 1 of {IMAGES}")
    press(page, "End", "ArrowRight")
    assert heading(page).startswith(f"Image {IMAGES} of {IMAGES}")
    press(page, "a")
    assert heading(page).startswith(f"Image {IMAGES} of {IMAGES}")
    assert f"{IMAGES - 1} are not judged yet" in page.locator("#status").inner_text()
    press(page, "n")
    assert heading(page).startswith("Image 1 of")
    press(page, "a", "a", "Home", "n")
    assert heading(page).startswith("Image 3 of")
    press(page, *"aaa")
    assert "Every image is judged" in page.locator("#status").inner_text()


@needs_chromium
def test_tab_and_enter_alone_judge_undo_and_save_with_a_visible_focus(page, tmp_path):
    def focused() -> str:
        return page.evaluate("document.querySelector('button:focus')?.innerText ?? ''")

    def tab_to(text: str) -> None:
        for _ in range(30):
            press(page, "Tab")
            if text in focused():
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
                assert (outline, width) == ("solid", "3px")
                return
        pytest.fail(f"{text}: cannot be reached with Tab")

    tab_to("Change to")
    press(page, "Enter")
    assert PAIR[1] in heading(page)
    assert "Change to" in focused()  # the button of the next image
    press(page, "Space")
    assert counts(page).startswith(f"2 of {IMAGES} judged: 0 agree, 2 change")
    tab_to("Undo")
    press(page, "Enter")
    assert counts(page).startswith(f"1 of {IMAGES} judged: 0 agree, 1 change")
    tab_to("Save corrections.csv")
    _, rows = saved_rows(page, tmp_path, key="Enter")
    assert [(row["image_id"], row["verdict"]) for row in rows] == [(PAIR[0], "change")]


@needs_chromium
def test_mouse_judges_shows_and_saves(page):
    page.locator(".strip li").nth(3).click()
    assert WRONG[1] in heading(page)
    page.locator(".item:not([hidden]) .agree").click()
    page.get_by_role("button", name="Previous").click()
    assert WRONG[1] in heading(page)
    pressed = page.locator(".item:not([hidden]) .agree").get_attribute("aria-pressed")
    assert pressed == "true"
    with page.expect_download():
        page.get_by_role("button", name="Save").click()


@needs_chromium
def test_keys_that_are_held_modified_or_switched_off_give_no_verdict(page):
    page.keyboard.down("a")
    for _ in range(5):
        page.keyboard.down("a")  # repeats
    page.keyboard.up("a")
    assert counts(page).startswith(f"1 of {IMAGES} judged")
    press(page, "Control+c", "Alt+u")
    assert counts(page).startswith(f"1 of {IMAGES} judged")
    page.locator("#shortcuts").uncheck()
    press(page, "a", "ArrowRight")
    assert counts(page).startswith(f"1 of {IMAGES} judged")
    assert heading(page).startswith("Image 2 of")


@needs_chromium
def test_leaving_warns_only_while_verdicts_are_not_saved(browser, folder, tmp_path):
    def asked_on_leaving(*keys: str) -> list[str]:
        page = browser.new_page()
        page.goto((folder / "few/labels.html").as_uri())
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        for key in keys:
            if key == "s":
                saved_rows(page, tmp_path)
            else:
                press(page, key)
        page.goto("about:blank")
        page.close()
        return asked

    assert asked_on_leaving("ArrowRight") == []
    assert asked_on_leaving("a") == ["beforeunload"]
    assert asked_on_leaving("a", "s") == []
    assert asked_on_leaving("a", "s", "u") == ["beforeunload"]
    assert asked_on_leaving("a", "z") == []


@needs_chromium
def test_hostile_name_comes_back_unchanged_through_the_browser(browser, tmp_path):
    write_hostile(tmp_path)
    for page in opened(browser, tmp_path / "out/labels.html"):
        press(page, "ArrowRight", "ArrowRight")
        assert "<script>alert(1)</script>&amp;" in heading(page)
        press(page, "a")
        _, rows = saved_rows(page, tmp_path)
    assert rows[0]["image_id"] == HOSTILE
