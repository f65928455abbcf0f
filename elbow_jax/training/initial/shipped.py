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
        "49133c8dba0568aadffaec89b7196a8fd5e23960e7f90fcdfae9367a1c80c7e9"
    ),
    "synthetic/efficientnetv2_s_small": (
        "ddd193817ed302c8865fdfc117a71e4d4ce3c26857e0b25b15f8efacefee1bed"
    ),
    "synthetic/convnext_tiny_small": (
        "dffaa6e7974e0d0db4338eb0bebd25d28acbd87e8a353ea32fe804e31d143fbe"
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
