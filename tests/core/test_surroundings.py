"""Commands of a user without a home directory, or with one that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core import surroundings

SHOW_HOME = """
import getpass, json, os, pwd, sys
from pathlib import Path
def no_entry(*_):
    raise KeyError("getpwuid(): uid not found")
if "no entry" in sys.argv:
    pwd.getpwuid = no_entry
from elbow_core import cli, surroundings
def main(arguments):
    import matplotlib
    temporary = surroundings.home_is_temporary()
    print(json.dumps([str(Path.home()), getpass.getuser(), matplotlib.get_cachedir(), temporary]))
    return 0
cli.run(main)
"""


def show_home(*arguments: str, **environment: str | None):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    for name, value in environment.items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    return subprocess.run(
        [sys.executable, "-c", SHOW_HOME, *arguments],
        capture_output=True,
        text=True,
        env=kept,
        check=False,
    )


NOBODY = {"HOME": None, "USER": None, "LOGNAME": None, "LNAME": None, "USERNAME": None}


def test_user_without_a_home_gets_one_for_the_time_of_the_command(tmp_path):
    done = show_home("no entry", **NOBODY, MPLCONFIGDIR=None, TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    home, user, cache, temporary = eval(done.stdout.replace("true", "True"))
    assert Path(home).parent == tmp_path
    assert user == str(os.getuid())
    assert Path(cache).is_relative_to(home)
    assert temporary
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_home_that_cannot_be_written_stays_and_matplotlib_does_not_warn(tmp_path, folder):
    home = tmp_path / folder
    if folder == "file":
        home.touch()
    (tmp_path / "tmp").mkdir()
    done = show_home(HOME=str(home), MPLCONFIGDIR=None, TMPDIR=str(tmp_path / "tmp"))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(home) in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


def test_neither_home_nor_temporary_folder_is_one_line(tmp_path, monkeypatch, capsys):
    def refuse(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(surroundings.tempfile, "mkdtemp", refuse)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(surroundings.Path, "home", classmethod(_no_home))
    with pytest.raises(surroundings.UserError, match="set HOME or TMPDIR"):
        surroundings.ensure_home()


def _no_home(_):
    raise RuntimeError("Could not determine home directory.")
