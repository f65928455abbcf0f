"""Checkpoints: what is saved is restored, and of another network or version nothing is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elbow_core.errors import ConfigError
from elbow_jax.training.checkpoints import Checkpoints
from tests.support.small_checkpoints import saved_steps, state_of


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


def test_checkpoint_of_a_newer_schema_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("elbow_jax.training.checkpoints.integrity.SCHEMA_VERSION", 7)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state_of(0.0), {}, auroc=0.5)
    monkeypatch.undo()
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(ConfigError, match="newer version"):
        checkpoints.restore_latest(state_of(0.0))
    assert saved_steps(tmp_path) == [1]


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
