"""Every command of docs/evaluation.md runs in an empty folder."""

import importlib
import re
import shlex

from tests.support.paths import ROOT

TUTORIAL = ROOT / "docs" / "evaluation.md"
# The audit reads files of the project and has its own test; the other three only measure.
NOT_RUN = ("timeit", "test_coverage", "test_group_gap_level", "evaluation.audit")


def blocks() -> list[tuple[str, str]]:
    fenced = re.compile(r"^```(python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
    found = fenced.findall(TUTORIAL.read_text())
    return [block for block in found if not any(name in block[1] for name in NOT_RUN)]


def test_tutorial_runs_with_a_table_of_scores_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for language, text in blocks():
        if language == "python":
            exec(compile(text, str(TUTORIAL), "exec"), {})
            continue
        for line in text.replace("\\\n", " ").splitlines():
            python, flag, module, *arguments = shlex.split(line)
            assert (python, flag) == ("python", "-m")
            few = ["--draws", "100"] if module.endswith(".report") else []
            command = importlib.import_module(module)
            if hasattr(command, "__path__"):
                command = importlib.import_module(f"{module}.__main__")
            assert command.main([*arguments, *few]) == 0
    assert {"report", "pair"} <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "report" / "checklist.html").is_file()
    assert re.search(r"AUROC 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", capsys.readouterr().out)
