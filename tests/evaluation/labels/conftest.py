"""Label audits of a small prepared folder."""

from pathlib import Path

import pytest

from elbow_core.evaluation.labels import __main__ as command
from tests.support.label_audits import write_data, write_scores
from tests.support.label_pages import IMAGES


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Prepared data, ``scores.csv``, the audit ``out`` and one of few images, ``few``.

    Read-only.
    """
    folder = tmp_path_factory.mktemp("audit")
    _, data = write_data(folder)
    write_scores(folder / "scores.csv", data.rows)
    arguments = [str(folder / "scores.csv"), "--archive", str(folder / "prepared")]
    assert command.main([*arguments, "--out", str(folder / "out")]) == 0
    few = ["--out", str(folder / "few"), "--images", str(IMAGES)]
    assert command.main([*arguments, *few]) == 0
    return folder
