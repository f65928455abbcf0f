"""The output of `python -m elbow_core.prepare`, and its usage errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.config import dump_config
from elbow_core.prepare import DataConfig
from elbow_core.prepare import __main__ as prepare_module
from elbow_core.prepare.__main__ import main
from elbow_core.tables import read_csv_table
from tests.support.commands import refusal_of
from tests.support.paths import ROOT, names_in
from tests.support.prepare_folders import FILES, write_images


@pytest.fixture
def config(tmp_path) -> DataConfig:
    return write_images(tmp_path)


def test_command_prints_the_table_of_the_paper_and_whether_it_was_already_prepared(config, capsys):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    (config.root / "normal/p00_0.png").write_bytes(b"broken")
    assert main(["--config", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{config.out}: prepared"
    assert lines[1].split() == ["Set", "Normal", "Injury"]
    assert [line.split()[0] for line in lines[2:6]] == ["Train", "Validation", "Test", "Total"]
    assert lines[5].split()[1:] == ["23", "24"]
    assert lines[6] == f"1 files were not used; {config.out / 'rejected.csv'} says why"
    assert main(["--config", str(path)]) == 0
    assert capsys.readouterr().out.startswith(
        f"{config.out}: already prepared with these settings\nSet"
    )


def test_files_that_are_not_used_are_counted_by_reason_with_the_first_name(config, capsys):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    for name in ("normal/b.txt", "normal/a\x1b[31m.txt", "injury/=1.txt"):
        (config.root / name).write_text("text")
    (config.root / "normal/linked").symlink_to(config.root / "injury")
    assert main(["--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    lines = printed.splitlines()[7:]
    assert len(lines) == 3
    assert lines[0].startswith("  2 files, such as injury/=1.txt: has no image suffix (.png, ")
    assert sorted(line.partition(": ")[0] for line in lines[1:]) == [
        "  normal/a\\x1b[31m.txt",
        "  normal/linked",
    ]
    rejected = (config.out / "rejected.csv").read_text()
    assert "'normal/a\\x1b[31m.txt" in rejected
    table = read_csv_table(config.out / "rejected.csv")
    assert "normal/a\x1b[31m.txt" in [row.cells["path"] for row in table.rows]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "elbow_core.prepare", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )


def test_command_with_workers_runs_in_a_process(config):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    done = command("--config", path, "--workers", "2")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{config.out}: prepared")
    assert done.stderr.count("prepare: 48 of 48") == 1
    assert names_in(config.out) == FILES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--preprocess.sizes=3"],
            "preprocess.sizes (from the command line): unknown key; did you",
        ),
        (["--root=/no/such/folder"], "/no/such/folder: is not a folder"),
        (["--split.train=0.9"], "they must sum to 1"),
    ],
)
def test_usage_errors_are_one_line_and_status_2(config, arguments, message, capsys):
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    line = refusal_of(capsys, prepare_module, "--config", str(path), *arguments)
    assert line.startswith("error: ")
    assert message in line
    assert names_in(config.out.parent) == ["data.yaml", "root"]


def test_help_needs_no_configuration(capsys):
    assert main(["--help"]) == 0
    assert "--preprocess.size int (default: 584)" in capsys.readouterr().out
