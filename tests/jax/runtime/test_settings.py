"""JAX's settings: those that no environment changes, and those that a run records."""

import json
import os
import subprocess
import sys

import jax
import pytest

from elbow_jax.runtime import chosen_settings, numeric_environment
from elbow_jax.runtime.settings import CHOSEN, FIXED

FIX = """
import json, sys
from elbow_jax.runtime import fix_settings
import jax
before = jax.random.key_data(jax.random.key(0)).tolist()
fix_settings()
key = jax.random.key(7)
print(json.dumps([jax.random.key_data(key).tolist(), jax.random.normal(key).item(),
                  str(jax.numpy.zeros(1, float).dtype), str(jax.random.normal(key).dtype)]))
"""


def fixed_under(**environment: str) -> tuple[list, str]:
    done = subprocess.run(
        [sys.executable, "-c", FIX],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    return json.loads(done.stdout), done.stderr


def test_keys_and_types_are_jaxs_defaults_in_any_environment():
    variables = {
        "JAX_DEFAULT_PRNG_IMPL": "unsafe_rbg",
        "JAX_RANDOM_SEED_OFFSET": "3",
        "JAX_THREEFRY_PARTITIONABLE": "false",
        "JAX_ENABLE_X64": "true",
        "JAX_ENABLE_CUSTOM_PRNG": "true",
    }
    plain, silent = fixed_under()
    hostile, named = fixed_under(**variables)
    assert hostile == plain
    assert plain[0] == [0, 7]
    assert plain[2:] == ["float32", "float32"]
    assert silent == ""
    assert all(f"{name}={value} is not used" in named for name, value in variables.items())


def test_fixed_and_chosen_settings_are_jaxs_own_defaults():
    """The tests set rank promotion alone, which changes no number."""
    values = jax.config.values
    for name, default in (FIXED | CHOSEN).items():
        if name in values:
            assert getattr(values[name], "value", values[name]) == default, name


def test_chosen_settings_are_recorded_where_they_are_not_the_default():
    assert chosen_settings() == {}
    with jax.default_matmul_precision("highest"):
        assert chosen_settings() == {"JAX_DEFAULT_MATMUL_PRECISION": "highest"}


@pytest.mark.parametrize(
    ("flags", "recorded"),
    [
        ("", {}),
        ("--xla_force_host_platform_device_count=2 --xla_dump_to=x", {}),
        ("--xla_b=1 --xla_a=2", {"XLA_FLAGS": "--xla_a=2 --xla_b=1"}),
    ],
)
def test_flags_that_may_change_a_result_are_recorded_in_one_order(monkeypatch, flags, recorded):
    monkeypatch.setenv("XLA_FLAGS", flags)
    for name in ("NVIDIA_TF32_OVERRIDE", "TF_CUDNN_DETERMINISTIC"):
        monkeypatch.delenv(name, raising=False)
    assert numeric_environment() == recorded
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert numeric_environment() == recorded | {"NVIDIA_TF32_OVERRIDE": "0"}
