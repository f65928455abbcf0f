"""The data and other places that a run names, found from another working directory."""

import json
from pathlib import Path

import pytest

from elbow_core.errors import ConfigError
from elbow_core.runs import describe_run, find_data, locate, require_data
from tests.support.small_data import write_prepared


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A working directory with prepared data and the record of a run on them."""
    folder = tmp_path / "project"
    write_prepared(folder / "data")
    (folder / "run").mkdir()
    monkeypatch.chdir(folder)
    record = describe_run((), Path("data"))
    (folder / "run/run.json").write_text(json.dumps(record))
    assert record["data"] == str(folder / "data")
    return folder


def test_path_counts_from_the_directory_that_the_run_began_in(project, tmp_path, monkeypatch):
    assert locate(Path("run"), Path("data")) == Path("data")
    write_prepared(tmp_path / "other/data", seed=1)
    monkeypatch.chdir(tmp_path / "other")  # which has data of the same name
    assert locate(project / "run", Path("data")) == project / "data"
    assert locate(project / "run", Path("/absolute")) == Path("/absolute")
    assert find_data(project / "run", Path("data"), None) == project / "data"


def test_path_counts_from_the_directory_of_the_last_resumption(project, tmp_path):
    record = json.loads((project / "run/run.json").read_text())
    record["resumed"] = [{"working_directory": str(tmp_path)}, {"command": ["train"]}]
    (project / "run/run.json").write_text(json.dumps(record))
    (tmp_path / "data").mkdir()
    assert locate(Path("run"), Path("data")) == tmp_path / "data"


def test_moved_project_is_used_with_a_line(project, tmp_path, monkeypatch, capsys):
    moved = project.rename(tmp_path / "moved")
    monkeypatch.chdir(moved)
    assert find_data(Path("run"), Path("data"), None) == Path("data")
    line = f"run: {project / 'data'} no longer exists; data in the working directory is used\n"
    assert capsys.readouterr().err == line


def test_missing_data_are_named_with_the_option_that_gives_their_place(project, monkeypatch):
    (project / "data").rename(project / "moved")
    with pytest.raises(ConfigError, match=rf"{project / 'data'}: .* with --data DIR"):
        find_data(Path("run"), Path("data"), None)
    assert find_data(Path("run"), Path("data"), Path("moved")) == Path("moved")
    with pytest.raises(ConfigError, match=r"nowhere: .*give another --data"):
        find_data(Path("run"), Path("data"), Path("nowhere"))


def test_data_of_another_run_are_refused(project, tmp_path):
    require_data(Path("run"), Path("data"))
    write_prepared(tmp_path / "other", seed=1)
    with pytest.raises(ConfigError, match="is not the data that run began with"):
        require_data(Path("run"), tmp_path / "other")


def test_run_without_a_record_counts_from_the_working_directory(project):
    (project / "run/run.json").unlink()
    assert locate(Path("run"), Path("data")) == Path("data")


@pytest.mark.parametrize("record", [None, {}, {"data_fingerprint": None}])
def test_run_that_does_not_record_its_data_is_compared_with_none(project, record):
    (project / "run/run.json").unlink()
    if record is not None:
        (project / "run/run.json").write_text(json.dumps(record))
    with pytest.raises(ConfigError, match=r"run\.json: .*; restore it"):
        require_data(Path("run"), Path("data"))


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_record_is_named(project, text):
    (project / "run/run.json").write_text(text)
    with pytest.raises(ConfigError, match=r"run.json"):
        locate(Path("run"), Path("data"))
