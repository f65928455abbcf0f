"""A damaged checkpoint is set aside; an error of the system that may pass is no damage."""

import errno
import gc
import os

import jax
import orbax.checkpoint as ocp
import pytest

from elbow_jax.training.checkpoints import Checkpoints, integrity
from elbow_jax.training.checkpoints.integrity import CheckpointError
from tests.support.small_checkpoints import (
    flipped,
    largest_arrays,
    restore_latest,
    saved_steps,
    state_of,
)


def test_run_stops_if_every_checkpoint_is_damaged(tmp_path, capsys):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(1, state_of(0.0), {}, auroc=0.5)
    (tmp_path / "checkpoints/1/host/metadata").write_bytes(b"{")
    with (
        Checkpoints(tmp_path / "checkpoints") as checkpoints,
        pytest.raises(CheckpointError, match=r"no other checkpoint is left, so start again"),
    ):
        checkpoints.restore_latest(state_of(0.0))
    assert "checkpoints/1: cannot be read" in capsys.readouterr().err
    assert (tmp_path / "damaged/1").is_dir()


# If one array cannot be read, Orbax leaves the reads of others pending on a closed event loop.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [flipped, lambda content: content[: len(content) // 2]])
def test_arrays_that_are_flipped_or_truncated_are_damage(saved, capsys, damage):
    arrays = largest_arrays(saved / "2")
    arrays.write_bytes(damage(arrays.read_bytes()))
    assert restore_latest(saved) == 1
    gc.collect()  # Orbax's pending reads, in this test and not in a later one
    assert f"moved to {saved.parent / 'damaged/2'}" in capsys.readouterr().err
    assert saved_steps(saved) == [1]


def fail_first(monkeypatch, times, error):
    """Make the first reads of arrays fail, as the file system or the device would make them."""
    original, failed = ocp.CheckpointManager.restore, []

    def restore(self, step, *arguments, **options):
        if len(failed) < times and "state" in dict(options["args"].items()):
            failed.append(step)
            raise error
        return original(self, step, *arguments, **options)

    monkeypatch.setattr(ocp.CheckpointManager, "restore", restore)


PASSING = [
    OSError(errno.ESTALE, "Stale file handle"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.EACCES, "Permission denied"),
    MemoryError(),
    jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
    ValueError("INTERNAL: Error reading local file [os_error_code='116']"),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_error_that_passes_is_no_damage(saved, monkeypatch, error):
    fail_first(monkeypatch, 1, error)
    with Checkpoints(saved) as checkpoints:
        restored = checkpoints.restore_latest(state_of(0.0))
    assert restored is not None
    step, state, _ = restored
    assert (step, state.params["head"]["kernel"][0]) == (2, 2.0)
    assert saved_steps(saved) == [1, 2]
    assert not (saved.parent / "damaged").exists()


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_error_of_the_system_that_stays_ends_the_run_and_moves_nothing(saved, monkeypatch, error):
    fail_first(monkeypatch, 2, error)
    with Checkpoints(saved) as checkpoints, pytest.raises(CheckpointError, match="nothing was mo"):
        checkpoints.restore_latest(state_of(0.0))
    assert saved_steps(saved) == [1, 2]


def test_digest_that_differs_once_is_no_damage(saved, monkeypatch):
    digests = ["wrong"]
    original = integrity.digest_of
    monkeypatch.setattr(
        integrity, "digest_of", lambda tree: digests.pop() if digests else original(tree)
    )
    with Checkpoints(saved) as checkpoints:
        restored = checkpoints.restore_latest(state_of(0.0))
    assert restored is not None
    assert restored[0] == 2
    assert digests == []
    assert saved_steps(saved) == [1, 2]


@pytest.mark.parametrize("name", ["metrics/metrics", "host/metadata"])
def test_unreadable_file_is_not_damage_and_wrong_content_is(saved, name):
    file = saved / "2" / name
    content = file.read_bytes()
    file.unlink()
    file.mkdir()  # reading it is an error of the system
    with pytest.raises(CheckpointError, match=r"nothing was moved"):
        restore_latest(saved)
    assert saved_steps(saved) == [1, 2]
    file.rmdir()
    file.write_bytes(content[:3] if name == "host/metadata" else b"")
    assert restore_latest(saved) == 1
    assert saved_steps(saved) == [1]


@pytest.mark.parametrize("name", ["metrics/metrics", "_CHECKPOINT_METADATA"])
def test_pipe_in_the_place_of_a_record_is_not_damage_and_a_deeply_nested_record_is(saved, name):
    file = saved / "2" / name
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CheckpointError, match=r"nothing was moved"):
        restore_latest(saved)
    file.unlink()
    file.write_bytes(b"[" * 99_999)
    assert restore_latest(saved) == 1
    assert saved_steps(saved) == [1]


@pytest.mark.parametrize("content", [b"[]", b"null", b'{"commit_timestamp_nsecs": "now"}'])
def test_times_of_another_form_are_damage(saved, content):
    (saved / "2/_CHECKPOINT_METADATA").write_bytes(content)
    assert restore_latest(saved) == 1
    assert saved_steps(saved) == [1]


def test_missing_times_do_not_matter(saved):
    (saved / "2/_CHECKPOINT_METADATA").unlink()
    assert restore_latest(saved) == 2


def test_pipe_among_the_arrays_is_named_and_not_waited_for(saved):
    file = next(path for path in sorted((saved / "2/state").rglob("*")) if path.is_file())
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CheckpointError, match=r"is neither a file nor a folder.*nothing was moved"):
        restore_latest(saved)
    assert saved_steps(saved) == [1, 2]
