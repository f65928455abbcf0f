"""dciodvfy, of dicom3tools, finds no error in the objects of radiographs with odd headers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.findings import objects_of
from tests.support.odd_headers import odd_radiograph

STUDIES = 200
QUICK = 6


def errors_in(file: Path) -> list[str]:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
    done = subprocess.run([program, str(file)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert any(name in line for line in lines for name in ("SCImage", "SR", "Presentation")), lines
    found = [line for line in lines if "error" in line.lower()]
    assert bool(found) == bool(done.returncode)
    return found


def check(numbers: range, folder: Path) -> None:
    file = folder / "object.dcm"
    for number in numbers:
        score, distance = (0.1, 0.9)[number % 2], (None, 0.3, 2.0)[number % 3]
        for name, made in objects_of(odd_radiograph(number), score, distance).named():
            made.save_as(file, enforce_file_format=True)
            assert errors_in(file) == [], (number, name)


def test_objects_of_odd_headers_are_valid(tmp_path):
    check(range(QUICK), tmp_path)


@pytest.mark.slow
def test_objects_of_two_hundred_odd_headers_are_valid(tmp_path):
    check(range(QUICK, STUDIES), tmp_path)


def test_validator_finds_errors(tmp_path):
    made = objects_of(odd_radiograph(0)).report
    del made.CompletionFlag
    made.save_as(tmp_path / "wrong.dcm", enforce_file_format=True)
    assert errors_in(tmp_path / "wrong.dcm")
