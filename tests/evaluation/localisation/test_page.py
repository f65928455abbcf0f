"""The example of docs/localisation.md runs, and the card that it shows is read."""

import json
import re
import shlex

from elbow_core.evaluation.heat_maps import open_maps, parse_card
from elbow_core.evaluation.localisation import __main__
from tests.support.paths import ROOT
from tests.support.small_data import write_prepared

PAGE = (ROOT / "docs" / "localisation.md").read_text(encoding="utf-8")


def block(language: str, part: str) -> str:
    (found,) = [
        text
        for text in re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
        if part in text
    ]
    return found


def test_example_writes_maps_and_their_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_prepared(tmp_path / "data" / "prepared" / "fracatlas_384")
    exec(compile(block("python", "write_maps"), "localisation.md", "exec"), {})
    assert len(open_maps(tmp_path / "maps" / "edges")) == 11
    command = shlex.split(block("bash", "evaluation.localisation maps/edges").replace("\\\n", " "))
    assert command[:3] == ["python", "-m", "elbow_core.evaluation.localisation"]
    assert __main__.main([*command[3:], "--draws", "100"]) == 0
    written = json.loads((tmp_path / "localisation" / "localisation.json").read_text())
    expected = ["edges, no network", "brightness, no network", "centre prior"]
    assert list(written["sets"]) == expected


def test_card_of_the_page_is_read():
    card = parse_card(block("json", "area").encode())
    assert card.label == "Grad-CAM, last stage, convnext_tiny, fold 0"
    assert card.images[0].area == (0.0, 0.0, 1536.0, 2048.0)
