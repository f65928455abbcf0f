"""Files that are not weights alone: types, pickles, foreign and truncated files."""

import argparse
import os
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from elbow_core.errors import UserError
from elbow_jax.porting.checkpoints import read_tensors
from tests.support.unsafe_advice import advises_unsafe_loading
from tests.support.weight_files import save_torch


@pytest.mark.parametrize(
    "kind", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.complex64, torch.bool]
)
def test_type_that_is_not_one_of_weights_is_refused_by_name(tmp_path, kind):
    state = {"conv.weight": torch.zeros(2).to(kind)}
    name = str(kind).removeprefix("torch.")
    with pytest.raises(UserError, match=f"conv.weight is stored as {name}"):
        read_tensors(save_torch(tmp_path, state))
    if kind is not torch.complex64:
        save_file(state, tmp_path / "weights.safetensors")
        with pytest.raises(UserError, match=r"conv\.weight is stored as (F8_E\dM\d|I8|BOOL)"):
            read_tensors(tmp_path / "weights.safetensors")


def test_sparse_tensor_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"stored as float32, torch\.sparse_coo"):
        read_tensors(save_torch(tmp_path, {"conv.weight": torch.eye(3).to_sparse()}))


@pytest.mark.parametrize("content", ["namespace", "module"])
def test_pickle_with_objects_is_refused_without_advice_to_load_it(tmp_path, content):
    layer = torch.nn.Linear(2, 1)
    whole = {"state_dict": layer.state_dict(), "arch": "x", "args": argparse.Namespace(lr=1)}
    file = save_torch(tmp_path, whole if content == "namespace" else layer)
    with pytest.raises(UserError, match="holds Python objects") as caught:
        read_tensors(file)
    message = str(caught.value)
    assert "\n" not in message
    assert ("argparse.Namespace" if content == "namespace" else "torch.nn") in message
    assert "torch.save(model.state_dict(), FILE)" in message
    assert not advises_unsafe_loading(message)


class _Caller:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def test_pickle_that_calls_a_command_is_refused_without_advice_to_open_it(tmp_path):
    with pytest.raises(UserError, match=r"reading it would call posix\.system") as caught:
        read_tensors(save_torch(tmp_path, {"conv.weight": _Caller()}))
    assert not advises_unsafe_loading(str(caught.value))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_foreign_and_truncated_files_are_one_line(tmp_path, content, suffix):
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(content)
    with pytest.raises(UserError, match="weights") as caught:
        read_tensors(file)
    assert "\n" not in str(caught.value)
    assert not advises_unsafe_loading(str(caught.value))
