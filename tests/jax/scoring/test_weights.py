"""The weights of a released model are exactly its network's, and finite."""

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import ConfigError, UserError
from elbow_jax import predict
from elbow_jax.porting import __main__ as porting
from elbow_jax.scoring import read_released, write_released
from tests.support.commands import refusal_of
from tests.support.finished_runs import random_variables
from tests.support.released_models import CARD, NETWORK, SIZE, refused, rewrite


def other_types(tensors, name):
    for kind in (np.float16, np.float64, np.int32, np.bool_, np.uint8):
        yield {**tensors, name: tensors[name].astype(kind)}


def other_shapes(tensors, name):
    array = tensors[name]
    yield {**tensors, name: array[None]}
    yield {**tensors, name: array.reshape(-1)[:-1]}
    yield {**tensors, name: np.zeros((0,), np.float32)}
    if array.ndim > 1:
        yield {**tensors, name: array.reshape(-1)}


def other_names(tensors, name):
    rest = {key: value for key, value in tensors.items() if key != name}
    yield rest
    for new in (name + " ", name.upper(), name.replace("/", "."), "\x1b[2J\n" + name, "x" * 9999):
        yield {**rest, new: tensors[name]}
    yield {**tensors, name + "/more": tensors[name]}


def test_every_tensor_with_another_type_shape_or_name_is_refused_in_one_line(copied):
    original = load_file(copied / "weights.safetensors")
    tried = 0
    for name in sorted(original)[::9]:
        for changes in (other_types, other_shapes, other_names):
            for tensors in changes(original, name):
                rewrite(copied, lambda found, new=tensors: (found.clear(), found.update(new)))
                with pytest.raises(
                    ConfigError, match=r"holds other tensors|is '\w+' and not"
                ) as refusal:
                    read_released(copied)
                line = str(refusal.value)
                assert line.isprintable()
                assert len(line) < 1000
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weight_that_is_not_finite_is_refused_with_its_name(model, copied, capsys, value):
    name = sorted(load_file(copied / "weights.safetensors"))[7]

    def damage(tensors):
        tensors[name].flat[-1] = value

    rewrite(copied, damage)
    line = refused(capsys, copied, model)
    assert f"{name} holds values that are not finite" in line
    arguments = ["--to-torch", str(copied), "--out", str(copied.parent / "out")]
    assert "not finite" in refusal_of(capsys, porting, *arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_released(tmp_path, value):
    variables = random_variables(NETWORK, SIZE)
    leaf = jax.tree.leaves(variables)[5]
    leaf.flat[0] = value
    with pytest.raises(UserError, match=r"is not released, since the weights .* not finite"):
        write_released(tmp_path / "model", variables, NOTHING_SEEN, **CARD)
    assert list(tmp_path.iterdir()) == []


def test_score_that_is_not_finite_names_the_image_and_writes_no_table(model, copied, capsys):
    def enlarge(tensors):
        for array in tensors.values():
            array *= np.float32(1e30)

    rewrite(copied, enlarge)
    image, out = str(model.parent / "image.png"), copied.parent / "out.csv"
    arguments = ["--model", str(copied), image, "--out", str(out)]
    line = refusal_of(capsys, predict, *arguments)
    assert f"{image}: the network gives nan and no score" in line
    assert not out.exists()
