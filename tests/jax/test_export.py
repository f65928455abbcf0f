"""Exported models give the scores of `predict`, in programs that do not know this project."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.radiographs import preprocess, read_radiograph
from elbow_jax import export, predict
from elbow_jax.models import ModelConfig
from elbow_jax.scoring import write_released
from tests.support import tolerances
from tests.support.commands import refusal_of, status_of
from tests.support.paths import ROOT
from tests.support.random_networks import ported, random_twin
from tests.support.released_models import CARD

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

LOADERS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.DOTALL)
HIDE = """
import sys
for name in ("jax", "flax", "torch", "elbow_core", "elbow_jax"):
    sys.modules[name] = None
"""


@dataclass
class Exported:
    """A released model, its files, images and their scores by `predict`."""

    folder: Path
    images: list[str]
    scores: np.ndarray


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(backbone, marks=pytest.mark.slow)
        for backbone in ("mobilenetv3_large", "convnext_tiny", "fusion")
    ],
)
def exported(request, tmp_path_factory) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    config = ModelConfig(backbone=request.param, variant="small")
    _, variables = ported(config, random_twin(config))
    card: dict[str, Any] = CARD | {"architecture": config}
    write_released(folder / "model", variables, NOTHING_SEEN, **card)
    images = []
    rng = np.random.default_rng(0)
    for number, shape in enumerate(((40, 60), (32, 32), (90, 50), (64, 64))):
        coarse = rng.integers(0, 255, (4 + number, 5), np.uint8)
        image = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
        images.append(str(folder / f"{number}{('.png', '.jpg')[number % 2]}"))
        cv2.imwrite(images[-1], image)
    model = str(folder / "model")
    assert status_of(predict, "--model", model, *images, "--out", str(folder / "scores.csv")) == 0
    with (folder / "scores.csv").open() as file:
        scores = np.array([float(row["score"]) for row in csv.DictReader(file)])
    assert np.ptp(scores) > 0.01  # or the comparison would say nothing
    assert status_of(export, "--model", model, "--out", str(folder / "elbow")) == 0
    return Exported(folder, images, scores)


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loader_of_the_document_scores_as_predict_does_without_jax_or_torch(exported):
    assert len(LOADERS[0].splitlines()) <= 34
    table = run(HIDE + LOADERS[0], str(exported.folder / "elbow.onnx"), *exported.images)
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["path"] for row in rows] == exported.images
    found = [float(row["score"]) for row in rows]
    np.testing.assert_allclose(found, exported.scores, atol=tolerances.EXPORT)
    assert {row["label"] for row in rows if float(row["score"]) > 0.5} <= {"injury"}


def test_stablehlo_scores_any_number_of_images_as_predict_does(exported):
    pixels = [preprocess(read_radiograph(image), size=32) for image in exported.images]
    for count in (1, len(pixels)):
        np.save(exported.folder / "images.npy", np.stack(pixels[:count]))
        program = "import sys; sys.modules['elbow_jax'] = None\n" + LOADERS[1]
        arguments = (exported.folder / "elbow.stablehlo", exported.folder / "images.npy")
        found = [float(score) for score in run(program, *map(str, arguments)).split()]
        np.testing.assert_allclose(found, exported.scores[:count], atol=tolerances.EXPORT)


def test_card_is_inside_both_files(exported):
    expected = json.loads((exported.folder / "model/model.json").read_text())
    with zipfile.ZipFile(exported.folder / "elbow.stablehlo") as archive:
        assert json.loads(archive.read("model.json")) == expected
    properties = onnx.load(exported.folder / "elbow.onnx").metadata_props
    (card,) = [entry.value for entry in properties if entry.key == "model.json"]
    assert json.loads(card) == expected


def test_onnx_takes_any_number_of_images_and_names_its_tensors(exported):
    graph = onnx.load(exported.folder / "elbow.onnx").graph
    (image,) = graph.input
    assert image.name == "image"
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    batch, *sides = image.type.tensor_type.shape.dim
    assert batch.dim_param
    assert [side.dim_value for side in sides] == [32, 32]
    assert [output.name for output in graph.output] == ["logit", "score"]


def test_file_of_ours_is_replaced_and_no_other(exported, tmp_path, capsys):
    model = str(exported.folder / "model")
    for ending in (".stablehlo", ".onnx"):
        own = (exported.folder / f"elbow{ending}").read_bytes()
        out = tmp_path / f"x{ending}"
        out.write_bytes(own)
        if ending == ".stablehlo":
            assert status_of(export, "--model", model, "--out", str(out)) == 0
        out.write_bytes(b"PK\3\4thesis" if ending == ".stablehlo" else b"\x08\x0a\x12\x07pytorch")
        line = refusal_of(capsys, export, "--model", model, "--out", str(out))
        assert f"{out}: exists and was not written by this command" in line


def test_files_name_no_path_of_this_machine(exported):
    network = zipfile.ZipFile(exported.folder / "elbow.stablehlo").read("network.jax_export")
    for content in (network, (exported.folder / "elbow.onnx").read_bytes()):
        for name in (str(ROOT), sys.prefix, "site-packages", "elbow_jax/", "test_export"):
            assert name.encode() not in content


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_package_is_named_before_the_work(tmp_path, monkeypatch, capsys, package):
    find = export.importlib.util.find_spec
    monkeypatch.setattr(
        export.importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    arguments = ("--model", str(tmp_path), "--out", str(tmp_path / "x.onnx"))
    line = refusal_of(capsys, export, *arguments)
    assert f".onnx needs {package}: pip install 'elbow-radiographs[export]'" in line
