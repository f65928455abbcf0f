"""What a fine-tuned model learnt from: the list beside its card, and that of its base model."""

from pathlib import Path

from elbow_core.dataset import (
    NOTHING_SEEN,
    SEEN_FILE,
    UNKNOWN_SEEN,
    SeenImages,
    read_seen_images,
)
from elbow_core.errors import UserError
from vlm_torch.config import FolderBase, ModelSection
from vlm_torch.lora.card import CARD, AdapterCard, read_merged_card
from vlm_torch.models import BaseCheckpoint


def images_seen_by(folder: Path, card: AdapterCard) -> SeenImages:
    """Return what an adapter or a merged checkpoint learnt from.

    Raises:
        UserError: if its card names no list, or the list is damaged.
    """
    if SEEN_FILE not in card.files:
        raise UserError(
            f"{folder}: {CARD} names no {SEEN_FILE}, so that nobody can tell what it learnt from; "
            "train the run again"
        )
    return read_seen_images(folder / SEEN_FILE, card.files[SEEN_FILE])


def images_seen_by_base(model: ModelSection, base: BaseCheckpoint) -> SeenImages:
    """Return what a base model learnt from in earlier runs.

    Published models, and tiny ones, came from no run. A folder with a card is a merged checkpoint
    of a run; another folder does not say what its weights learnt from.

    Raises:
        UserError: as `read_merged_card` and `images_seen_by` do.
    """
    if not isinstance(model.base, FolderBase):
        return NOTHING_SEEN
    if not (base.path / CARD).exists():
        return UNKNOWN_SEEN
    return images_seen_by(base.path, read_merged_card(base.path))
