"""The example of docs/hospital.md: its files, and the commands of the page."""

import os
import re
import shlex
import subprocess
import sys
from collections import Counter

import pytest
from openpyxl import load_workbook

from elbow_core.config import load_config
from elbow_core.dataset import read_manifest
from elbow_core.errors import UserError
from elbow_core.prepare import DataConfig, prepare
from elbow_core.radiographs import read_tags
from elbow_core.tables import read_csv_table
from scripts import make_hospital as command
from scripts.make_hospital import make_hospital
from tests.support.commands import status_of
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/hospital.md").read_text(encoding="utf-8")
PATIENTS = 20


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospital") / "data"
    counts = make_hospital(folder, PATIENTS, 90210)
    return folder, counts


def test_spreadsheet_lists_every_file_by_its_uid(hospital):
    folder, (radiographs, others) = hospital
    files = {path.stem: path for path in folder.rglob("*.dcm")}
    assert len(files) == radiographs + others
    sheet = load_workbook(folder / "labels.xlsx").active
    assert sheet is not None
    rows = list(sheet.iter_rows(min_row=4, values_only=True))
    assert sorted(str(row[0]) for row in rows) == sorted(files)
    tags = [read_tags(path) for path in files.values()]
    assert all(tag.instance_uid == name for tag, name in zip(tags, files, strict=True))
    assert len({tag.patient_id for tag in tags}) == PATIENTS


def test_shipped_configuration_prepares_it_and_names_nobody(hospital, tmp_path, capsys):
    folder, (radiographs, others) = hospital
    key = tmp_path / "hospital.key"
    key.write_bytes(bytes(range(32)))
    places = {"root": folder, "out": tmp_path / "out", "id_key": key, "workers": 0}
    config = load_config(DataConfig, ROOT / "configs/hospital/data.yaml", [])
    prepare(config.model_copy(update=places))
    rows = read_manifest(tmp_path / "out/manifest.csv")
    reasons = Counter(
        row.cells["reason"].split(" (")[0].split(" in labels")[0]
        for row in read_csv_table(tmp_path / "out/rejected.csv").rows
    )
    assert len(rows) + reasons["has the label 'unclear'"] == radiographs
    assert reasons["is raw data, FOR PROCESSING"] + reasons["is a secondary capture"] == others
    assert len({row.patient_id for row in rows}) == PATIENTS
    names = {"age", "dose", "manufacturer", "model", "sex", "year"}
    assert {name for row in rows for name, _ in row.attributes} == names
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    for secret in ("Example^Patient", "EXAMPLE", *(path.stem for path in folder.rglob("*.dcm"))):
        assert secret.encode() not in written
    assert f"{PATIENTS} patients, by their tags" in capsys.readouterr().out


def test_folder_of_the_user_is_left_alone(hospital, capsys):
    folder, _ = hospital
    with pytest.raises(UserError, match="exists; name a folder that is new or empty"):
        make_hospital(folder, PATIENTS, 0)
    assert status_of(command, "x", "--patients", "3") == 2
    assert "--patients: 3 is below 20, too few to train on" in capsys.readouterr().err


@pytest.mark.slow
def test_commands_of_the_page_run_as_they_stand(tmp_path):
    """In an empty folder with the configurations; the numbers of files are those of the page."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    blocks = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [line for line in lines if line.startswith((".venv", "mkdir", "head"))]
    commands = [line for line in commands if " -m pip " not in line]
    assert len(commands) == 8
    printed = ""
    for line in commands:
        words = line.replace(".venv/bin/python", shlex.quote(sys.executable))
        done = subprocess.run(
            ["bash", "-c", words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        printed += done.stdout
    for line in ("308 DICOM files of 150 patients, by their tags", "17 files were not used"):
        assert line in printed
        assert line in PAGE
    assert (tmp_path / "runs/hospital_labels/labels.html").is_file()
