"""Release the networks of all folds of a cross-validation as one model, their ensemble."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from elbow_core import evaluation
from elbow_core.dataset import NOTHING_SEEN, SeenImages
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation.statistics import DEFAULT, DEFAULT_THRESHOLD, choose_thresholds
from elbow_core.files import sha256_of
from elbow_jax import scoring
from elbow_jax.models import ModelConfig

METRICS = ("auroc", "accuracy")


class FoldModel(NamedTuple):
    """The released model of one fold of one repeat."""

    repeat: int
    fold: int
    model: Path


def require_ensemble(directory: Path, members: int, architecture: ModelConfig, size: int) -> None:
    """Check, before the folds are trained, that their ensemble can be released.

    Args:
        directory: of the ensemble: absent, empty, or an ensemble already.
        members: its number of networks.
        architecture: of each.
        size: of their images in pixels.

    Raises:
        ConfigError: if there are too many members, or they are too large together.
        UserError: if something else is in the place of the ensemble.
    """
    if members > scoring.MAX_MEMBERS:
        raise ConfigError(
            f"--ensemble: {members} networks are more than the {scoring.MAX_MEMBERS} of an "
            "ensemble; give fewer --repeats"
        )
    _require_size(members, architecture, size)
    if _exists(directory) and _card_of(directory).ensemble is None:
        raise UserError(f"{directory}: is not an ensemble; move it away")


def release_ensemble(folds: Sequence[FoldModel], out_of_fold: Path, directory: Path) -> str:
    """Write the ensemble of the folds' networks, completely or not at all; return a line on it.

    Its operating points are chosen on the out-of-fold scores, where every image has scores of
    networks that have not learnt from its patient. The ensemble has no such image: each was learnt
    from in some fold, and the list of the images that it learnt from is that of all folds together.
    An ensemble of the same networks that exists is left as it is.

    Args:
        folds: the released models, in the order of repeats and folds.
        out_of_fold: the predictions file with the scores of all images.
        directory: to write to.

    Raises:
        UserError: if a fold's model cannot be read or differs from the first in more than its
            weights, another model lies in the directory, or it cannot be written.
    """
    cards = [scoring.read_card(fold.model) for fold in folds]
    _require_equal(folds, cards)
    record = scoring.EnsembleRecord(
        mean_of="probabilities",
        operating_points_from="out-of-fold scores",
        out_of_fold_sha256=sha256_of(out_of_fold),
        members=tuple(
            scoring.EnsembleMember(
                repeat=fold.repeat,
                fold=fold.fold,
                step=card.step,
                weights_sha256=card.weights_sha256,
            )
            for fold, card in zip(folds, cards, strict=True)
        ),
    )
    if _exists(directory):
        if _card_of(directory).ensemble != record:
            raise UserError(
                f"{directory}: is the ensemble of other networks than these folds have now; move "
                "it away"
            )
        return f"released already: {directory}"
    released = [scoring.read_released(fold.model) for fold in folds]
    judged = evaluation.read_predictions(out_of_fold)
    metrics = evaluation.binary_metrics(judged.label, judged.score)
    chosen = choose_thresholds(judged.label, judged.score)
    statistics, gate = _gate_of(released)
    scoring.write_released(
        directory,
        scoring.stack_variables([model.variables for model in released]),
        _seen_by(folds, cards),
        statistics,
        architecture=cards[0].architecture,
        preprocessing=cards[0].preprocessing,
        thresholds={DEFAULT: DEFAULT_THRESHOLD, **chosen},
        labels=cards[0].labels,
        validation={name: float(metrics[name]) for name in METRICS},
        step=record.step,
        ensemble=record,
        gate=gate,
    )
    return (
        f"released model: {directory}, the mean probability of {len(folds)} networks; it has "
        "learnt from every image here, so judge it on others"
    )


def _require_size(members: int, architecture: ModelConfig, size: int) -> None:
    most = scoring.most_bytes(members)
    try:
        shapes = scoring.traced_shapes(architecture, size)
    except ValueError as error:
        raise ConfigError(f"--ensemble: {error}") from error
    needed = 4 * members * sum(math.prod(shape) for shape in shapes.values())
    if needed > most:
        raise ConfigError(
            f"--ensemble: {members} networks of {architecture.backbone} take {needed} bytes, and "
            f"an ensemble may have {most}; give fewer --folds or --repeats"
        )


def _exists(directory: Path) -> bool:
    """Return whether something is in the place of a released model; an empty folder is nothing."""
    if not directory.is_dir():
        return directory.exists() or directory.is_symlink()
    return any(directory.iterdir())


def _card_of(directory: Path) -> "scoring.ModelCard":
    try:
        return scoring.read_card(directory)
    except ConfigError as error:
        raise UserError(f"{error}; move {directory} away") from error


def _require_equal(folds: Sequence[FoldModel], cards: Sequence["scoring.ModelCard"]) -> None:
    for fold, card in zip(folds, cards, strict=True):
        for name in ("architecture", "preprocessing", "labels"):
            if getattr(card, name) != getattr(cards[0], name):
                raise ConfigError(
                    f"{fold.model}: its {name} differs from that of {folds[0].model}; an ensemble "
                    "needs equal networks"
                )


def _gate_of(
    released: "Sequence[scoring.ReleasedModel]",
) -> "tuple[dict[str, Any] | None, scoring.GateRecord | None]":
    """Return the statistics of all input gates, stacked; None unless every member has a gate."""
    gates = [model.card.gate for model in released if model.card.gate is not None]
    if len(gates) < len(released):
        return None, None
    fewest = min(gates, key=lambda gate: gate.images)
    return scoring.stack_variables([model.statistics for model in released]), fewest


def _seen_by(folds: Sequence[FoldModel], cards: Sequence["scoring.ModelCard"]) -> SeenImages:
    """Return what the networks of all folds learnt from, together."""
    seen = NOTHING_SEEN
    for fold, card in zip(folds, cards, strict=True):
        found = scoring.images_seen_by(fold.model, card)
        if found is None:
            raise ConfigError(
                f"{fold.model}: does not list the images that it learnt from; train this fold again"
            )
        seen |= found
    return seen
