"""Weights that come with the project: small networks, trained on synthetic radiographs.

Each is a released model in ``elbow_jax/weights``, made by ``scripts/pretrain_synthetic.sh``. They
have never seen a patient.
"""

from pathlib import Path

from elbow_core.dataset import UNKNOWN_SEEN, SeenImages
from elbow_core.errors import ConfigError
from elbow_core.files import sha256_of
from elbow_jax.scoring import ReleasedModel, images_seen_by, read_card, read_released

PREFIX = "synthetic/"
SHIPPED = {
    "synthetic/mobilenetv3_large_small": (
        "c4816a3deed4398fd3cb452442ad5cddca0dc7489d34dd4f1241376d70506afb"
    ),
}
"""Each tag, and the SHA-256 of its card, which in turn names those of weights and seen images."""

FOLDER = Path(__file__).parents[2] / "weights"
"""A released model for each tag."""


def is_shipped(source: str) -> bool:
    """Return whether a source of initial weights is a tag of shipped weights.

    Raises:
        ConfigError: if it has the form of one and is none; the message lists the known ones.
    """
    if source in SHIPPED:
        return True
    if source.startswith(PREFIX) and not Path(source).exists():
        raise ConfigError(f"init: {source}: is not one of the tags {', '.join(SHIPPED)}")
    return False


def read_shipped(tag: str) -> ReleasedModel:
    """Read shipped weights.

    Raises:
        ConfigError: if they are missing from the installation, or are not those that the project
            was released with.
    """
    return read_released(_checked(tag))


def seen_by_shipped(tag: str) -> SeenImages:
    """Return the synthetic images that shipped weights learnt from; raises as `read_shipped`."""
    folder = _checked(tag)
    return images_seen_by(folder, read_card(folder)) or UNKNOWN_SEEN


def _checked(tag: str) -> Path:
    folder = FOLDER / tag.removeprefix(PREFIX)
    card = folder / "model.json"
    if not card.is_file():
        raise ConfigError(f"init: {tag}: {card} is missing; install the project anew")
    if sha256_of(card) != SHIPPED[tag]:
        raise ConfigError(
            f"init: {tag}: {card} is not the card that the project was released with; install the "
            "project anew"
        )
    return folder
