import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.cases import KEPT
from tests.reliability.disturbed import Command, Disturbance, find_compiler
from tests.reliability.records import RECORDS
from tests.reliability.trials import assert_success_or_one_line

SECONDS = 60.0  # in which every command has ended

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux"),
    pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler"),
]


def replaced_by(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        file.write_bytes(content(file.read_bytes()))

    return damage


def by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def by_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES = {
    "missing": Path.unlink,
    "empty": replaced_by(lambda data: b""),
    "first half": replaced_by(lambda data: data[: len(data) // 2]),
    "zeros": replaced_by(lambda data: bytes(len(data))),
    "text": replaced_by(lambda data: b"hello\n"),
    "null": replaced_by(lambda data: b"null\n"),
    "list": replaced_by(lambda data: b"[]\n"),
    "object": replaced_by(lambda data: b'{"a": 1}\n'),
    "nested": replaced_by(lambda data: b"[" * 100_000),
    "not UTF-8": replaced_by(lambda data: b"\xff\xfe" + data),
    "bits": replaced_by(lambda data: data[:-20] + bytes(byte ^ 255 for byte in data[-20:])),
    "folder": by_a_folder,
    "pipe": by_a_pipe,
}


@pytest.mark.parametrize("name", RECORDS)
def test_damaged_record_of_ours_is_one_line_or_does_not_matter(name, shim, tmp_path, problems):
    case, files = RECORDS[name].case, RECORDS[name].files
    before, folder = tmp_path / "before", tmp_path / "trial"
    case.write_folder(before)
    found = [file.relative_to(before) for pattern in files for file in before.glob(pattern)]
    found = [file for file in found if (before / file).is_file()]
    assert found
    with Command(case.module, shim, case.imported) as command:
        for file in found:
            for kind, damage in DAMAGES.items():
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(before, folder, symlinks=True)
                damage(folder / file)
                with problems.at(f"{file}: {kind}"):
                    outcome = command.run(folder, case.arguments, Disturbance(seconds=SECONDS))
                    assert_success_or_one_line(outcome)
                    assert (folder / KEPT).read_text() == "mine"
    problems.assert_none()
