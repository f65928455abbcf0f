"""The finished folds of a cross-validation with random weights, and their ensemble."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import SeenImages
from elbow_core.dataset.seen_images import SeenImage
from elbow_core.evaluation import Predictions, write_predictions
from elbow_jax.crossval import FoldModel, release_ensemble
from elbow_jax.scoring import write_released
from tests.support.finished_runs import random_variables
from tests.support.released_models import CARD, NETWORK, SIZE

FOLDS = 3


def seen_in_fold(number: int) -> SeenImages:
    """Return what the network of one fold learnt from, distinct images in each fold."""
    image, patient = (f"{first}{number}".ljust(64, "0") for first in "ab")
    return SeenImages(frozenset([SeenImage("", "train", image, patient)]), True)


def write_folds(run: Path, **changes: Any) -> list[FoldModel]:
    """Write the models of all folds below a run, and its out-of-fold predictions.

    ``changes`` are to the fields of the last fold's card.
    """
    folds = []
    for number in range(1, FOLDS + 1):
        model = run / f"fold_{number}" / "model"
        model.parent.mkdir(parents=True)
        card: dict[str, Any] = CARD | {"step": 10 + number} | (changes if number == FOLDS else {})
        variables = random_variables(NETWORK, SIZE, seed=number)
        write_released(model, variables, seen_in_fold(number), **card)
        folds.append(FoldModel(1, number, model))
    write_predictions(run / "predictions_out_of_fold.csv", out_of_fold())
    return folds


def out_of_fold() -> Predictions:
    """Return scores of ten images: thresholds above 0.55 divide the classes, 0.5 errs once."""
    score = np.linspace(0.1, 0.9, 10)
    names = np.array([f"i{number}" for number in range(10)])
    label = (score > 0.55).astype(np.int64)
    prediction = (score >= 0.5).astype(np.int64)
    return Predictions(names, names, names, label, score, prediction, model="run")


def write_ensemble(run: Path) -> Path:
    """Write the folds of a run and their ensemble; return the ensemble."""
    folds = write_folds(run)
    release_ensemble(folds, run / "predictions_out_of_fold.csv", run / "model")
    return run / "model"


def change_card(model: Path, change: Any) -> None:
    """Write what ``change`` returns for the card of a model into its place."""
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(change(card)))
