"""Interrupted scoring continues, and its table has the bytes of an undisturbed one."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.errors import UserError
from elbow_core.files import locked_folder, partial_of
from elbow_core.processes import Interrupted
from elbow_core.tables import read_csv_table
from elbow_jax.streaming import COLUMNS, find_images
from tests.support.streamed_scores import Arithmetic, run_program, write_scores

FILES = 30


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A folder of 30 files: 24 images, 4 copies of them and 2 that are none."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(24):
        cv2.imwrite(str(folder / f"{number:02d}.png"), rng.integers(0, 255, (40, 36), np.uint8))
    for number in (3, 9, 10, 20):
        shutil.copy(folder / f"{number:02d}.png", folder / f"{number + 1:02d}_copy.png")
    (folder / "05_text.png").write_text("not an image")
    (folder / "13_empty.png").touch()
    return folder


@pytest.fixture(scope="module")
def paths(images) -> list[str]:
    return find_images([str(images)]).paths


@pytest.fixture(scope="module")
def undisturbed(paths, tmp_path_factory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed") / "scores.csv"
    write_scores(out, paths, Arithmetic())
    return out.read_bytes()


def test_table_has_a_row_for_each_file_and_a_reason_for_those_without_a_score(paths, tmp_path):
    out = tmp_path / "scores.csv"
    network = Arithmetic()
    sheet = write_scores(out, paths, network)
    table = read_csv_table(out)
    assert tuple(table.columns) == COLUMNS
    rows = [row.cells for row in table.rows]
    assert [row["path"] for row in rows] == paths
    rejected = {Path(row["path"]).name: row for row in rows if row["reason"]}
    assert {name: row["reason"] for name, row in rejected.items()} == {
        "05_text.png": "is not an image: neither PNG, JPEG nor DICOM",
        "13_empty.png": "is empty",
    }
    for row in rejected.values():
        assert set(row.values()) == {row["path"], row["reason"], ""}
    for row in rows:
        if not row["reason"]:
            assert row["label"] == ("injury" if float(row["score"]) >= 0.5 else "normal")
            assert row["operating_point"] == "default"
            flagged = 2 * float(row["score"]) > 1
            assert row["gate"] == ("unlike the training images" if flagged else "ok")
    assert sheet.unlike == sum(row["gate"] not in ("ok", "") for row in rows) > 0
    assert (len(sheet.scores), sheet.rejected, sheet.unnamed) == (28, 2, 0)
    assert sheet.rejections[1] == f"{Path(paths[0]).parent}/13_empty.png: is empty"


def test_files_of_the_same_content_are_scored_once(paths, tmp_path):
    network = Arithmetic()
    write_scores(tmp_path / "scores.csv", paths, network)
    assert len(network.scored) == 24
    rows = {
        Path(row.cells["path"]).name: dict(row.cells)
        for row in read_csv_table(tmp_path / "scores.csv").rows
    }
    for number in (3, 9, 10, 20):
        copy, original = rows[f"{number + 1:02d}_copy.png"], rows[f"{number:02d}.png"]
        assert copy | {"path": ""} == original | {"path": ""}


def interrupting(batch: int, error: BaseException) -> Callable[[int], None]:
    def at_batch(number: int) -> None:
        if number == batch:
            raise error

    return at_batch


@pytest.mark.parametrize("batch", range(6))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_scoring_continues_with_the_same_bytes(
    paths, undisturbed, tmp_path, capsys, batch, number
):
    out = tmp_path / "scores.csv"
    stop = KeyboardInterrupt() if number == signal.SIGINT else Interrupted(number)
    with pytest.raises(type(stop)) as stopped:
        write_scores(out, paths, Arithmetic(at_batch=interrupting(batch, stop)))
    assert not out.exists()
    (note,) = stopped.value.__notes__
    done = int(note.partition(" ")[0])
    assert note == f"{done} of {FILES} files are done; the same command continues"
    assert (done > 0) == partial_of(out).exists()
    network = Arithmetic()
    write_scores(out, paths, network)
    assert out.read_bytes() == undisturbed
    assert not partial_of(out).exists()
    assert all(position >= done for position in network.scored)
    said = capsys.readouterr().err
    assert (f"continues behind {done} of {FILES} files" in said) == (done > 0)


@pytest.mark.parametrize(("batch", "workers"), [(0, 0), (3, 0), (4, 2), (5, 0)])
def test_killed_scoring_continues_with_the_same_bytes(
    images, paths, undisturbed, tmp_path, batch, workers
):
    out = tmp_path / "scores.csv"
    killed = run_program(images, out, "--kill-after", str(batch), "--workers", str(workers))
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    network = Arithmetic()
    write_scores(out, paths, network)
    assert out.read_bytes() == undisturbed
    # Two batches may be in flight; those before them are kept.
    assert network.started == 6 - max(0, batch - 2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.csv"]


def test_workers_do_not_change_the_table(images, undisturbed, tmp_path):
    done = run_program(images, tmp_path / "scores.csv", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "scores.csv").read_bytes() == undisturbed


def leave_unfinished(out: Path, paths: list[str], settings: str = "") -> None:
    network = Arithmetic(at_batch=interrupting(4, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_scores(out, paths, network, settings=settings)
    assert partial_of(out).is_dir()


def test_unfinished_scores_of_other_settings_or_files_are_dropped_and_this_is_said(
    images, paths, undisturbed, tmp_path, capsys
):
    out = tmp_path / "scores.csv"
    leave_unfinished(out, paths, settings="another model")
    network = Arithmetic()
    write_scores(out, paths, network)
    assert len(network.scored) == 24
    assert "another model or other settings are dropped" in capsys.readouterr().err
    assert out.read_bytes() == undisturbed
    copied = Path(shutil.copytree(images, tmp_path / "copied"))
    copies = find_images([str(copied)]).paths
    leave_unfinished(out, copies)
    os.utime(copies[0], ns=(0, 0))
    network = Arithmetic()
    write_scores(out, copies, network)
    assert len(network.scored) == 24


def test_unfinished_scores_that_are_damaged_are_computed_again(paths, undisturbed, tmp_path):
    out = tmp_path / "scores.csv"
    leave_unfinished(out, paths)
    journal = partial_of(out) / "work/outcomes"
    content = journal.read_bytes()
    journal.write_bytes(content.replace(b"0.", b"0.0", 1))
    write_scores(out, paths, Arithmetic())
    assert out.read_bytes() == undisturbed


def test_error_of_the_network_names_the_file_and_keeps_what_is_finished(paths, tmp_path):
    out = tmp_path / "scores.csv"
    broken = UserError("x.png: the network gives nan and no score")
    with pytest.raises(UserError, match="gives nan"):
        write_scores(out, paths, Arithmetic(at_batch=interrupting(4, broken)))
    assert not out.exists()
    network = Arithmetic()
    write_scores(out, paths, network)
    assert network.started == 4


def test_second_process_is_refused(paths, tmp_path):
    out = tmp_path / "scores.csv"
    leave_unfinished(out, paths)
    with (
        locked_folder(partial_of(out), ""),
        pytest.raises(UserError, match="is being written by another process"),
    ):
        write_scores(out, paths, Arithmetic())


def test_folder_of_the_same_name_that_is_not_ours_is_refused_and_kept(paths, tmp_path):
    out = tmp_path / "scores.csv"
    partial_of(out).mkdir()
    (partial_of(out) / "thesis.tex").write_text("mine")
    with pytest.raises(UserError, match="did not mark as its own"):
        write_scores(out, paths, Arithmetic())
    assert [entry.name for entry in partial_of(out).iterdir()] == ["thesis.tex"]


def test_memory_does_not_grow_with_the_number_of_files(images, tmp_path):
    peaks = []
    image = (images / "00.png").read_bytes()
    for number in (200, 2000):
        folder = tmp_path / str(number)
        folder.mkdir()
        for index in range(number):  # bytes behind a PNG's end make it another content
            (folder / f"{index}.png").write_bytes(image + index.to_bytes(4, "big"))
        done = run_program(folder, tmp_path / f"{number}.csv")
        assert done.returncode == 0, done.stderr
        peaks.append(1024 * int(done.stdout))
    assert (peaks[1] - peaks[0]) / 1800 < 1500  # bytes a file; a preprocessed one alone has 1024
