import dataclasses
import errno
import gc
import logging
import os
import resource
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from elbow_core.errors import ConfigError
from elbow_core.files import atomic as files
from elbow_jax.optimizer import sgd
from elbow_jax.steps import create_state
from elbow_jax.training.checkpoints import Checkpoints, integrity
from elbow_jax.training.checkpoints.integrity import CheckpointError


def state_of(value, width=3):
    variables = {"params": {"head": {"kernel": jnp.full(width, value)}}, "batch_stats": {}}
    return create_state(variables, sgd(lambda step: 0.1, 0.9, 1e-3), seed=1)


def saved_steps(directory):
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit())


def test_restored_state_is_bit_identical_to_the_saved_one(tmp_path):
    state = state_of(np.pi)
    host = {"losses": [0.1, 1 / 3], "batches": {"next_index": 7}}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, state, host, auroc=0.5)
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        restored, restored_host = checkpoints.restore(3, state_of(0.0))
    assert restored_host == host
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_the_best_and_the_latest_two_are_saved_steps(tmp_path):
    aurocs = {1: 0.6, 2: 0.9, 3: None, 4: 0.7, 5: None, 6: 0.8}
    with Checkpoints(tmp_path) as checkpoints:
        for step, auroc in aurocs.items():
            checkpoints.save(step, state_of(step), {}, auroc)
        checkpoints.wait()
        assert (checkpoints.best(), checkpoints.latest()) == (2, 6)
    assert saved_steps(tmp_path) == [2, 5, 6]


def test_leftover_of_a_killed_save_is_ignored_and_removed_by_the_next_save(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state_of(1.0), {}, auroc=0.5)
        checkpoints.wait()
    leftover = tmp_path / "2.orbax-checkpoint-tmp-12"
    (tmp_path / "1").rename(leftover)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest() is None
        checkpoints.save(3, state_of(1.0), {}, auroc=0.5)
    assert saved_steps(tmp_path) == [3]
    assert not leftover.exists()


def test_read_only_changes_nothing(tmp_path):
    leftover = tmp_path / "2.orbax-checkpoint-tmp-12"
    leftover.mkdir()
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.best() is None
    assert leftover.exists()


def test_state_of_another_network_is_refused_by_path(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state_of(1.0), {}, auroc=0.5)
        checkpoints.wait()
        with pytest.raises(
            ConfigError, match=r"params/head/kernel is \(3,\) there and \(4,\) here"
        ):
            checkpoints.restore(1, state_of(1.0, width=4))


# Orbax also raises in its writing thread, and leaves other writes pending until the garbage
# collector closes their event loop.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_full_disk_is_an_error_and_keeps_the_last_good_checkpoint(tmp_path):
    """Simulated by a limit on the size of files, so that the writes fail."""
    initial = state_of(0.0, width=300_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, initial, {"losses": [0.5]}, auroc=0.5)
        checkpoints.wait()
        noise = np.random.default_rng(0).normal(size=300_000)  # zeros would be compressed away
        full = dataclasses.replace(initial, params={"head": {"kernel": jnp.asarray(noise)}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            checkpoints.save(2, full, {"losses": []}, auroc=0.6)
            with pytest.raises(
                CheckpointError, match=r"2: cannot be saved \(File too large\); .* good .* step 1$"
            ):
                checkpoints.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest() == 1
        _, host = checkpoints.restore(1, initial)
        assert host == {"losses": [0.5]}
        checkpoints.save(3, full, {}, auroc=0.6)
        checkpoints.wait()
    assert [path.name for path in tmp_path.iterdir() if not path.name.isdigit()] == []
    gc.collect()  # what Orbax left pending, in this test and not in a later one


def test_checkpoint_of_a_newer_schema_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("elbow_jax.training.checkpoints.integrity.SCHEMA_VERSION", 7)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state_of(0.0), {}, auroc=0.5)
    monkeypatch.undo()
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(ConfigError, match="newer version"):
        checkpoints.restore_latest(state_of(0.0))
    assert saved_steps(tmp_path) == [1]


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


@pytest.fixture
def saved(tmp_path):
    """A directory with checkpoints 1 and 2."""
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state_of(float(step)), {}, auroc=0.5)
    return tmp_path / "checkpoints"


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
    file.write_bytes(content[:3])
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


def test_threads_that_end_after_a_failed_save_print_nothing(saved):
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before = [logger.level for logger in loggers], threading.excepthook
    try:
        with pytest.raises(OSError, match="full"), Checkpoints(saved):
            raise OSError("full")
        assert [logger.level for logger in loggers] == [logging.CRITICAL] * 2
    finally:
        for logger, level in zip(loggers, before[0], strict=True):
            logger.setLevel(level)
        threading.excepthook = before[1]
    with Checkpoints(saved):
        pass
    assert [logger.level for logger in loggers] == before[0]


def test_no_thread_waits_for_a_folder_that_cannot_be_created(saved, monkeypatch):
    mkdir = os.mkdir

    def refuse(path, *arguments, **options):
        if os.fspath(path).endswith("/state.orbax-checkpoint-tmp"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        return mkdir(path, *arguments, **options)

    before = set(threading.enumerate())
    with Checkpoints(saved) as checkpoints:
        monkeypatch.setattr(os, "mkdir", refuse)
        with pytest.raises(CheckpointError, match=r"3: cannot be saved \(.*No space left"):
            checkpoints.save(3, state_of(3.0), {}, auroc=0.5)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=20)
        assert not thread.is_alive(), thread


def restore_latest(directory):
    with Checkpoints(directory) as checkpoints:
        restored = checkpoints.restore_latest(state_of(0.0))
    assert restored is not None
    return restored[0]


HALF = {"head": {"kernel": jnp.zeros(3, jnp.float16)}}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("key", jnp.zeros(4, jnp.uint32), "JAX_DEFAULT_PRNG_IMPL"), ("params", HALF, r"float16\[3\]")],
)
def test_checkpoint_written_under_other_settings_is_named_and_stays(
    tmp_path, field, value, message
):
    state = dataclasses.replace(state_of(1.0), **{field: value})
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state, {}, auroc=0.5)
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(ConfigError, match=message):
        checkpoints.restore_latest(state_of(0.0))
    assert saved_steps(tmp_path) == [1]


def test_disk_without_room_is_named_before_anything_is_written(saved, monkeypatch):
    usage = shutil.disk_usage(saved)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage._replace(free=10))
    with Checkpoints(saved) as checkpoints:
        with pytest.raises(CheckpointError, match=r"3: cannot be saved \(checkpoint 3 needs .*2$"):
            checkpoints.save(3, state_of(3.0), {}, auroc=0.5)
        checkpoints.wait()
    assert saved_steps(saved) == [1, 2]
