"""With a key, nothing that an identifying tag or a name says is in any output or message."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from elbow_core import prepare as prepare_package
from elbow_core.config import dump_config
from elbow_core.dataset import open_prepared
from elbow_core.prepare import DataConfig, prepare, read_private_paths
from elbow_core.prepare import __main__ as command
from elbow_core.sources import ElbowSource, FindingRule
from tests.support.commands import status_of
from tests.support.dicom_folders import dicom_config
from tests.support.planted_tags import FILES, planted_in, write_planted

FOLDER = {"kind": "folder", "classes": {"normal": 0, "injury": 1}}


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> DataConfig:
    """A folder of identifying files, and its configuration with a key; read-only."""
    folder = tmp_path_factory.mktemp("planted")
    write_planted(folder / "root")
    return dicom_config(folder, near_duplicates="report")


def run(config: DataConfig, tmp_path: Path, **changes: Any) -> int:
    """Run the command with a changed configuration; return its status."""
    path = tmp_path / "data.yaml"
    path.write_text(dump_config(DataConfig.model_validate(config.model_dump() | changes)))
    return status_of(command, "--config", str(path))


def test_prepared_folder_and_console_name_nobody(planted, tmp_path, capfd):
    assert run(planted, tmp_path, out=tmp_path / "out") == 0
    printed = capfd.readouterr()
    data = open_prepared(tmp_path / "out")
    assert len(data.rows) > FILES * 0.9
    assert "DICOM files have no PatientID" in printed.out
    assert "files were not used" in printed.out
    assert planted_in([tmp_path / "out"], printed.out, printed.err) == []
    table = planted.root.with_name("id.key.out.paths.csv")
    assert table.stat().st_mode & 0o077 == 0
    # The search finds what is there: the table leads back to every file.
    assert planted_in([table])
    files = read_private_paths(table)
    assert all((planted.root / files[row.path]).is_file() for row in data.rows)
    assert run(planted, tmp_path, out=tmp_path / "out") == 0
    printed = capfd.readouterr()
    assert "already prepared" in printed.out
    assert planted_in([], printed.out, printed.err) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"strict": True}, "says which file that is"),
        (
            {"source": FOLDER | {"patient": r"(?P<patient>nothing\d)"}},
            "the patient pattern does not match",
        ),
        (
            {
                "source": ElbowSource(
                    rules=(FindingRule(pattern="fracture", finding="f", label=1),),
                    patient=r"(?P<patient>\d+)",
                )
            },
            "no rule (add one) matches",
        ),
        (
            {"source": FOLDER | {"classes": {"normal": 0, "fracture": 1}}},
            "are not among the classes",
        ),
        ({"split": {"method": "official"}}, "has no official split"),
    ],
)
def test_message_names_nobody(planted, tmp_path, capfd, changes, problem):
    assert run(planted, tmp_path, out=tmp_path / "out", **changes) == 2
    printed = capfd.readouterr()
    assert problem in printed.err
    assert planted_in([], printed.out, printed.err) == []
    assert not (tmp_path / "out").exists()


def test_folder_of_a_patient_in_place_of_a_class_is_not_named(planted, tmp_path, capfd):
    shutil.copytree(planted.root / "normal", tmp_path / "root/normal")
    shutil.copytree(planted.root / "injury", tmp_path / "root/Quimby, Zorblatt")
    (tmp_path / "root/injury").mkdir()
    assert run(planted, tmp_path, out=tmp_path / "out", root=tmp_path / "root") == 2
    printed = capfd.readouterr()
    assert "are not among the classes" in printed.err
    assert planted_in([], printed.out, printed.err) == []


def test_interrupted_work_names_nobody_and_is_resumed(planted, tmp_path, monkeypatch):
    config = planted.model_copy(update={"out": tmp_path / "out"})

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(prepare_package.pipeline, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(config, lambda _: None)
    partial = tmp_path / ".out.partial"
    assert list(partial.rglob("*.array_record"))
    assert planted_in([partial]) == []
    assert prepare(config, lambda _: None)
    assert not partial.exists()


def test_search_finds_names_in_any_order_case_and_width(tmp_path):
    for number, content in enumerate(
        [b"QUIMBY7^ZORBLATT7", "Mrn77".encode("utf-16"), "x1.2.840.77777.2".encode("utf-16-be")]
    ):
        (tmp_path / str(number)).write_bytes(content)
    found = planted_in([tmp_path], "Quimby")
    assert {part for _, part in found} == {"quimby", "zorblatt", "mrn77", "1.2.840.77777"}
    assert ("text", "quimby") in found
