"""Refuse to judge a released model on images that it learnt from."""

import sys
from collections.abc import Iterable
from pathlib import Path

from elbow_core.dataset import PreparedData, refuse_seen
from elbow_jax.scoring.card import ModelCard
from elbow_jax.scoring.released import images_seen_by


def refuse_learnt_images(
    model: Path,
    card: ModelCard,
    data: PreparedData,
    splits: Iterable[str],
    otherwise: str = "nothing",
) -> None:
    """Refuse splits with images or patients that a model learnt from: see `refuse_seen`.

    A line on standard error says what could not be compared.

    Args:
        model: the directory of the released model.
        card: of the model.
        data: prepared data.
        splits: of the data, to be judged.
        otherwise: what was compared in place of the images if the model does not list them.

    Raises:
        ManifestError: naming the images and the splits.
        ConfigError: if the list cannot be read or compared.
    """
    seen = images_seen_by(model, card)
    if seen is None:
        lines = [f"{model}: does not list the images that it learnt from; {otherwise} was compared"]
    else:
        lines = refuse_seen(seen, data, splits, str(model))
    for line in lines:
        print(line, file=sys.stderr)
