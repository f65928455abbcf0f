"""The commands of docs/readers.md run in an empty folder and give what the page quotes."""

import importlib
import re
import shlex

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "readers.md"


def test_page_quotes_what_its_commands_give(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|bash)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    for language, text in blocks:
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), {})
            continue
        for line in text.splitlines():
            python, flag, module, *arguments = shlex.split(line)
            assert (python, flag) == ("python", "-m")
            command = importlib.import_module(module)
            if hasattr(command, "__path__"):
                command = importlib.import_module(f"{module}.__main__")
            assert command.main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "F 3.191, p 0.077"
    written = {
        path.parent.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*/report.md")
    }
    assert set(written) == {"readers_report", "specificity", "non_inferior", "planned"}
    quoted = [line.removeprefix("> ") for line in page.splitlines() if line.startswith("> ")]
    assert len(quoted) == 2
    for line, name in zip(quoted, ("readers_report", "specificity"), strict=True):
        assert line in written[name]
    tests = re.findall(r"\| \d+\.\d{3} \| 1, [\d.∞]+ \| 0\.\d{3} \|$", page, re.MULTILINE)
    assert len(tests) == 3
    for row in tests:
        assert row in written["readers_report"]
    row = "| M2 - M1 | 0.0555 (-0.0061 to 0.1170) |"
    assert row in page
    assert row in written["non_inferior"]
    planned = r"^\| \d+ \| (?:none|\d+) \| (?:none|\d+) \| (?:–|0\.\d+) \|$"
    rows = re.findall(planned, page, re.MULTILINE)
    assert len(rows) == 5
    assert all(row in written["planned"] for row in rows)
