"""The command predict over many files: lists, workers, rejected files, and how it goes on."""

import os
import signal

from elbow_jax import predict
from elbow_jax.scoring import Predictor
from tests.support.commands import status_of


def test_many_rejected_files_are_named_up_to_a_number_and_counted(workspace, tmp_path, capsys):
    for number in range(103):
        (tmp_path / f"{number:03d}.png").write_text("not an image")
    assert status_of(predict, "--model", str(workspace / "run/model"), str(tmp_path)) == 2
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert len(lines) == 101
    assert lines[-1] == "error: 3 more files have no score; their rows say why"
    assert len(printed.out.splitlines()) == 104


def test_list_gives_the_table_of_its_files(workspace, tmp_path, capsys):
    images = [str(image) for image in sorted((workspace / "images/normal").iterdir())]
    assert status_of(predict, "--model", str(workspace / "run/model"), *images) == 0
    named = capsys.readouterr().out
    (tmp_path / "files.txt").write_text("".join(f"{image}\n" for image in images))
    arguments = ["--model", str(workspace / "run/model"), f"@{tmp_path}/files.txt"]
    assert status_of(predict, *arguments) == 0
    assert capsys.readouterr().out == named


def test_file_and_standard_output_have_the_same_table_with_workers_too(workspace, tmp_path, capsys):
    images, out = str(workspace / "images"), tmp_path / "scores.csv"
    assert status_of(predict, "--model", str(workspace / "run/model"), images) == 0
    printed = capsys.readouterr().out
    arguments = ["--model", str(workspace / "run/model"), images, "--out", str(out)]
    assert status_of(predict, *arguments, "--workers", "2") == 0
    assert out.read_text() == printed


def test_stopped_command_says_how_to_go_on_and_continues(workspace, tmp_path, monkeypatch, capsys):
    images, out = str(workspace / "images"), tmp_path / "scores.csv"
    arguments = ["--model", str(workspace / "run/model"), images, "--out", str(out)]
    assert status_of(predict, *arguments) == 0
    undisturbed = out.read_bytes()
    for number, status, line in (
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
    ):
        out.unlink()
        start, started = Predictor.start, []

        def stop(self, batch, start=start, started=started, number=number):
            started.append(batch)
            if len(started) == 6:
                os.kill(os.getpid(), number)
            return start(self, batch)

        with monkeypatch.context() as patch:
            patch.setattr(Predictor, "start", stop)
            capsys.readouterr()
            assert status_of(predict, *arguments) == status
        (stopped,) = capsys.readouterr().err.splitlines()
        assert stopped == f"{line}; 24 of 60 files are done; the same command continues"
        assert not out.exists()
        assert status_of(predict, *arguments) == 0
        assert capsys.readouterr().err == f"{out}: continues behind 24 of 60 files\n"
        assert out.read_bytes() == undisturbed
        assert [entry.name for entry in tmp_path.iterdir()] == ["scores.csv"]
