"""The lines of `docs/from_pytorch.md` run, and its columns compute the same."""

import re
import warnings
from typing import Any

import numpy as np
import pytest

from tests.support import tolerances
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "from_pytorch.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| [^|`]+ \| `([^`|]+)` \| `([^`|]+)` \|$", re.MULTILINE)


def lines(text: str) -> list[str]:
    """Return the lines of the set-up, then those of the tables, row by row."""
    rows = [line for row in ROW.findall(text) for line in row]
    return [*BLOCK.findall(text), *rows]


@pytest.fixture(scope="module")
def session() -> dict[str, Any]:
    pytest.importorskip("torch")
    from tests.support.frameworks import configure_torch

    configure_torch()
    pytest.importorskip("timm")
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        # `torch.compile` imports modules of torch that torch deprecates.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch")
        for line in lines(PAGE.read_text(encoding="utf-8")):
            exec(line, names)
    return names


def test_every_row_of_the_tables_is_run():
    text = PAGE.read_text(encoding="utf-8")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    headings = [line for line in tables if line.startswith(("|---", "| |"))]
    assert len(ROW.findall(text)) == len(tables) - len(headings) > 20


def test_normalised_images_are_equal(session):
    ours, theirs = np.asarray(session["h"]), session["x"].numpy()
    assert np.abs(ours.transpose(0, 3, 1, 2) - theirs).max() < 1e-5


def test_ported_backbone_gives_the_same_feature_map(session):
    maps = session["maps"].detach().numpy().transpose(0, 2, 3, 1)
    error = np.abs(np.asarray(session["feature_map"]) - maps).max() / np.abs(maps).max()
    assert error < tolerances.NETWORK


def test_networks_have_equally_many_parameters_and_weights_come_back(session):
    # timm normalises the pooled vector within the head, as the network here does before it.
    assert session["count"] == session["size"]
    exported = session["exported"]
    tensors = session["tensors"]
    stem = exported["backbone.network.stem.0.weight"]
    assert np.array_equal(stem, tensors["stem.0.weight"].numpy())


def test_losses_rates_and_steps_are_equal(session):
    assert float(session["cost"]) == pytest.approx(session["loss"].item(), rel=1e-6)
    assert float(session["rate"]) == pytest.approx(session["schedule"].get_last_lr()[0], rel=1e-6)
    stepped = np.asarray(session["params"]["weight"])
    assert np.abs(stepped - session["stepped"].numpy()).max() < 1e-6
