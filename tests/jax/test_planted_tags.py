"""Data prepared with a key: training, evaluation and report name no patient of the DICOM tags."""

import shutil

import pytest

from elbow_core.evaluation.report import __main__ as report
from elbow_core.prepare import prepare
from elbow_jax import evaluate, train
from tests.support.commands import status_of
from tests.support.dicom_folders import dicom_config
from tests.support.planted_tags import planted_in, write_planted
from tests.support.training import write_config


@pytest.mark.slow
def test_run_and_report_name_nobody(tmp_path, capfd):
    write_planted(tmp_path / "root", files=500)
    config = dicom_config(tmp_path, out=tmp_path / "data")
    prepare(config)
    shutil.rmtree(tmp_path / "root")  # nothing later needs the files, or their names
    written_config = write_config(tmp_path, epochs=1, batch_size=32, tensorboard=True)
    assert train.main(["--config", str(written_config)]) == 0
    run = tmp_path / "run"
    assert status_of(evaluate, "--run", str(run), "--split", "test") == 0
    written = status_of(
        report,
        *(str(run / "predictions_test.csv"), "--out", str(tmp_path / "report")),
        *("--manifest", str(config.out / "manifest.csv"), "--archive", str(config.out)),
        *("--rejected", str(config.out / "rejected.csv"), "--checklist", "--run", str(run)),
    )
    assert written == 0
    printed = capfd.readouterr()
    assert "each counts as a patient of its own" in (tmp_path / "report/report.md").read_text()
    assert planted_in([config.out, run, tmp_path / "report"], printed.out, printed.err) == []
