"""A save that fails: one error, the last good checkpoint, and nothing printed later."""

import dataclasses
import errno
import gc
import logging
import os
import resource
import shutil
import threading
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import elbow_jax.training.checkpoints.quiet_orbax as quiet_orbax
from elbow_core.files import atomic as files
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.checkpoints.integrity import CheckpointError, is_damage, reason_of
from tests.support.small_checkpoints import saved_steps, state_of


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


def test_threads_that_end_after_a_second_attempt_to_read_print_nothing(saved, monkeypatch):
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before = [logger.level for logger in loggers], threading.excepthook
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    try:
        with Checkpoints(saved, read_only=True) as checkpoints:
            restore, calls = checkpoints._manager.restore, []

            def refuse_once(*arguments, **options):
                calls.append(arguments)
                if len(calls) == 1:
                    raise PermissionError(errno.EACCES, "Permission denied")
                return restore(*arguments, **options)

            monkeypatch.setattr(checkpoints._manager, "restore", refuse_once)
            checkpoints.restore(2, state_of(0.0))
        assert len(calls) > 2
        assert [logger.level for logger in loggers] == [logging.CRITICAL] * 2
    finally:
        for logger, level in zip(loggers, before[0], strict=True):
            logger.setLevel(level)
        threading.excepthook = before[1]


def test_systems_error_behind_one_of_orbax_is_the_reason_and_no_damage(saved):
    """As Orbax raises it where an array cannot be read, with pages of a specification."""
    behind = ValueError("INTERNAL: os_error_code='13' opening 'd/0f60'")
    error = Exception("Encountered error while reading array index: (x). See full TensorStore de")
    error.__cause__ = behind
    assert reason_of(error) == "Permission denied"
    assert not is_damage(saved / "2", error)
    error.__cause__ = None
    assert is_damage(saved / "2", error)
    long = Exception("Encountered error. See full TensorStore details: TensorStore({\n 'base': 1})")
    assert reason_of(long) == "Encountered error"


def test_tasks_that_orbax_leaves_print_nothing_and_others_do(monkeypatch):
    shown = []
    monkeypatch.setattr(quiet_orbax, "_shown_before", shown.append)
    of_orbax = compile("0", "/lib/orbax/checkpoint/serialization.py", "exec")
    for code, text, is_shown in (
        (of_orbax, "cannot be read", False),
        (compile("0", "/lib/own/code.py", "exec"), "cannot be read", True),
        (compile("0", "/lib/own/code.py", "exec"), "Event loop is closed", False),
    ):
        task = SimpleNamespace(object=SimpleNamespace(cr_code=code), exc_value=OSError(text))
        quiet_orbax._show_unless_of_a_task(task)
        assert bool(shown) == is_shown
        shown.clear()


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


def test_disk_without_room_is_named_before_anything_is_written(saved, monkeypatch):
    usage = shutil.disk_usage(saved)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage._replace(free=10))
    with Checkpoints(saved) as checkpoints:
        with pytest.raises(CheckpointError, match=r"3: cannot be saved \(checkpoint 3 needs .*2$"):
            checkpoints.save(3, state_of(3.0), {}, auroc=0.5)
        checkpoints.wait()
    assert saved_steps(saved) == [1, 2]
