"""The commands of docs/abstention.md run in an empty folder and print what the page shows."""

import importlib
import re
import shlex

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "abstention.md"
FENCED = re.compile(r"^```(python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r"^```\n(Vendor A: .*?)^```", re.DOTALL | re.MULTILINE)


def test_page_shows_what_its_commands_print(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    for language, text in FENCED.findall(page):
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), {})
            continue
        for line in text.replace("\\\n", " ").splitlines():
            python, flag, module, *arguments = shlex.split(line)
            assert (python, flag) == ("python", "-m")
            if module == "pytest":
                continue
            name = f"{module}.__main__" if module.endswith(".report") else module
            few = ["--draws", "100"] if module.endswith(".report") else []
            assert importlib.import_module(name).main([*arguments, *few]) == 0
    (shown,) = SHOWN.findall(page)
    assert shown in capsys.readouterr().out
    # The shares of the three answers do not depend on the number of draws.
    report = (tmp_path / "report" / "report.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| Vendor A: ")]
    assert len(rows) == 2
    assert all(row in report for row in rows)
    assert "250 of 1181 images are left to the reader, a share of 0.199 (0.176 to 0.225)" in report
