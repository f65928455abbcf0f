"""The input gate of a released model: its file, its card, and the column of predict."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import ConfigError
from elbow_core.evaluation import write_predictions
from elbow_core.radiographs import preprocess, read_radiograph
from elbow_jax import predict
from elbow_jax.crossval import FoldModel, release_ensemble
from elbow_jax.scoring import GateRecord, Predictor, read_released, sigmoid, write_released
from elbow_jax.scoring.gate import grey_statistics
from elbow_jax.scoring.predictor import make_judging_step
from tests.support.commands import status_of
from tests.support.finished_runs import random_variables
from tests.support.fold_ensembles import change_card, out_of_fold
from tests.support.hostile_json import HOSTILE, places, replaced
from tests.support.released_models import CARD, NETWORK, SIZE, rewrite

RECORD = GateRecord(distance="mahalanobis", false_alarms=0.05, images=60)
FEATURES = 192


def statistics_of(grey: np.ndarray, reach: float = 0.1) -> dict[str, dict[str, Any]]:
    """Return a gate that passes all features, and grey levels within a reach of a mean."""
    means = {"features": np.zeros((2, FEATURES)), "grey_levels": np.stack([grey, grey])}
    whitening = {"features": 1e-6 * np.eye(FEATURES), "grey_levels": np.eye(3) / reach}
    return {
        kind: {
            "means": means[kind].astype(np.float32),
            "whitening": whitening[kind].astype(np.float32),
        }
        for kind in means
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An image, and models with a gate that passes it, of two folds; read-only."""
    folder = tmp_path_factory.mktemp("gated")
    image = np.random.default_rng(0).integers(0, 255, (60, 50), np.uint8)
    cv2.imwrite(str(folder / "image.png"), image)
    grey = read_radiograph(folder / "image.png")
    prepared = preprocess(grey, **CARD["preprocessing"].model_dump())
    levels = np.asarray(grey_statistics(jnp.asarray(prepared[None, ..., None])))[0]
    for number in (1, 2):
        model = folder / f"fold_{number}" / "model"
        model.parent.mkdir()
        variables = random_variables(NETWORK, SIZE, seed=number)
        statistics = statistics_of(levels, 0.1 * number)
        write_released(model, variables, NOTHING_SEEN, statistics, **CARD, gate=RECORD)
    write_predictions(folder / "predictions_out_of_fold.csv", out_of_fold())
    folds = [FoldModel(1, number, folder / f"fold_{number}" / "model") for number in (1, 2)]
    release_ensemble(folds, folder / "predictions_out_of_fold.csv", folder / "model")
    return folder


@pytest.fixture
def copied(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder / "fold_1" / "model", tmp_path / "model"))


def test_written_gate_is_read_unchanged(folder):
    read = read_released(folder / "fold_1" / "model")
    assert read.card.gate == RECORD
    assert read.card.schema_version == 4
    assert read.statistics is not None
    assert read.variables.keys() == {"params", "batch_stats"}
    levels = read.statistics["grey_levels"]["means"][0]
    jax.tree.map(np.testing.assert_array_equal, read.statistics, statistics_of(levels))


def test_gate_of_an_ensemble_is_the_mean_distance_of_its_members(folder):
    images = np.random.default_rng(1).integers(0, 255, (3, SIZE, SIZE, 1)).astype(np.uint8)
    images[2] = 90
    ensemble, *singles = (
        read_released(folder / name) for name in ("model", "fold_1/model", "fold_2/model")
    )
    step = jax.jit(make_judging_step(singles[0].card))
    tables = np.array([step((one.variables, one.statistics), {"image": images}) for one in singles])
    batch = {"image": images, "position": np.arange(3, dtype=np.int32)}
    predictor = Predictor(ensemble, 3)
    _, scores, distances = predictor.judge([batch])
    assert distances is not None
    np.testing.assert_allclose(distances, tables[..., 1].mean(axis=0), rtol=1e-5)
    assert distances[2] > 1, "the blank image"
    assert tables[0, 2, 1] == pytest.approx(2 * tables[1, 2, 1], rel=1e-5)
    mean = np.mean([sigmoid(table[:, 0]) for table in tables], axis=0)
    np.testing.assert_allclose(scores, mean, atol=1e-6)
    np.testing.assert_array_equal(predictor.score([batch])[1], scores)


def table_of(capsys, *arguments: str) -> tuple[list[dict[str, str]], list[str]]:
    """Predict; return the rows of the table and the lines of messages."""
    assert status_of(predict, *arguments) == 0
    printed = capsys.readouterr()
    return list(csv.DictReader(printed.out.splitlines())), printed.err.splitlines()


def test_predict_flags_what_is_unlike_and_changes_no_score(folder, copied, tmp_path, capsys):
    nearly_blank = np.random.default_rng(2).integers(100, 103, (60, 50), np.uint8)
    nearly_blank = cv2.GaussianBlur(nearly_blank, (0, 0), 20)
    nearly_blank[0, 0] = 120
    cv2.imwrite(str(tmp_path / "blank.png"), nearly_blank)
    images = (str(folder / "image.png"), str(tmp_path / "blank.png"))
    gated, lines = table_of(capsys, "--model", str(copied), *images)
    assert [row["gate"] for row in gated] == ["ok", "unlike the training images"]
    assert lines == ["unlike the training images: 1 of 2 images; their scores may mean nothing"]
    plain = tmp_path / "plain"
    write_released(plain, random_variables(NETWORK, SIZE, seed=1), NOTHING_SEEN, **CARD)
    ungated, lines = table_of(capsys, "--model", str(plain), *images)
    assert lines == []
    assert [row["gate"] for row in ungated] == ["", ""]
    for row, other in zip(gated, ungated, strict=True):
        assert float(row["score"]) == pytest.approx(float(other["score"]), abs=1.5e-6)
        assert row["label"] == other["label"]


def test_every_field_of_the_gate_with_every_hostile_value_is_refused(copied):
    card = json.loads((copied / "model.json").read_text())
    tried = 0
    for place in [place for place in places(card) if place[0] == "gate"]:
        for value in HOSTILE:
            (copied / "model.json").write_text(json.dumps(replaced(card, place, value)))
            with pytest.raises(ConfigError) as refusal:
                read_released(copied)
            assert str(refusal.value).isprintable()
            tried += 1
    assert tried == 4 * len(HOSTILE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card | {"gate": None}, "schema_version: is 4; an ensemble or a gate belongs"),
        (lambda card: card | {"schema_version": 2}, "an ensemble or a gate belongs to version 4"),
        (
            lambda card: (
                {key: value for key, value in card.items() if key != "gate"} | {"schema_version": 2}
            ),
            "holds other tensors than its network: unknown: gate/features/means",
        ),
    ],
)
def test_card_and_file_that_disagree_on_the_gate_are_refused(copied, change, message):
    change_card(copied, change)
    with pytest.raises(ConfigError, match=message):
        read_released(copied)


def other_tensors(tensors, name):
    rest = {key: value for key, value in tensors.items() if key != name}
    yield rest
    yield {**tensors, name: tensors[name][:1]}
    yield {**tensors, name: tensors[name].astype(np.float64)}
    yield {**tensors, name: np.full_like(tensors[name], np.nan)}
    yield {**tensors, "gate/more/means": tensors[name]}
    yield {**rest, f"{name}2": tensors[name]}


def test_every_tensor_of_the_gate_with_another_type_shape_or_name_is_refused(copied):
    original = load_file(copied / "weights.safetensors")
    names = [name for name in original if name.startswith("gate/")]
    assert len(names) == 4
    for name in names:
        for tensors in other_tensors(original, name):
            rewrite(copied, lambda found, new=tensors: (found.clear(), found.update(new)))
            with pytest.raises(
                ConfigError, match=r"holds other tensors|is '\w+' and not|not finite"
            ):
                read_released(copied)
