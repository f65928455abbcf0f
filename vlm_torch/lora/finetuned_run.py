"""Opens a finished fine-tuning run, for prediction or for merging."""

from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import ConfigError
from elbow_core.runs import CONFIG, locate
from vlm_torch.config import ADAPTER, MERGED, FinetuneConfig, FolderBase, HubBase, read_run_config
from vlm_torch.lora.card import AdapterCard, read_card, read_merged_card, require_base
from vlm_torch.models import BaseCheckpoint, find_base


@dataclass(frozen=True)
class FinetunedRun:
    """A run's configuration and card, its base checkpoint, and the adapter to add to it.

    For a merged checkpoint, ``base`` is that checkpoint and ``adapter`` is None.
    """

    path: Path
    config: FinetuneConfig
    card: AdapterCard
    base: BaseCheckpoint
    adapter: Path | None


def open_finetuned_run(path: Path, base: Path | None) -> FinetunedRun:
    """Open a finished run; ``base`` is the base model's folder, if it was moved.

    Raises:
        UserError: no finished run, a file or a setting that is not that of the adapter's card,
            another base model, or other library versions.
    """
    config = read_run_config(path)
    card = read_card(path / ADAPTER)
    _require_same(path, config, card)
    model = config.model
    if base is not None:
        model = model.model_copy(update={"base": FolderBase(path=base)})
    elif isinstance(model.base, FolderBase):
        folder = locate(path, model.base.path)
        model = model.model_copy(update={"base": FolderBase(path=folder)})
    elif isinstance(model.base, HubBase):
        pinned = model.base.model_copy(update={"revision": card.base_revision})
        model = model.model_copy(update={"base": pinned})
    checkpoint = find_base(model, path.parent)
    require_base(path / ADAPTER, card, checkpoint)
    return FinetunedRun(path, config, card, checkpoint, path / ADAPTER)


def open_merged_run(path: Path) -> FinetunedRun:
    """Open a run with its merged checkpoint; neither peft nor the adapter is needed.

    Raises:
        UserError: no run, not merged, a file or a setting that is not that of the checkpoint's
            card, or another release of transformers.
    """
    if not (path / MERGED).is_dir():
        raise ConfigError(f"{path / MERGED}: is missing; run `python -m vlm_torch.merge` first")
    config = read_run_config(path)
    update = {"base": FolderBase(path=path / MERGED), "four_bit": False}
    model = config.model.model_copy(update=update)
    card = read_merged_card(path / MERGED)
    _require_same(path, config, card)
    checkpoint = find_base(model, path.parent)
    return FinetunedRun(path, config.model_copy(update={"model": model}), card, checkpoint, None)


def _require_same(path: Path, config: FinetuneConfig, card: AdapterCard) -> None:
    """Check that a run's configuration is that of its card, the place of the base model aside."""
    elsewhere = {"base"}
    pairs = {
        "prompt": (config.prompt.model_dump(), card.prompt.model_dump()),
        "lora": (config.lora.model_dump(), card.lora.model_dump()),
        "model": (
            config.model.model_dump(exclude=elsewhere),
            card.model.model_dump(exclude=elsewhere),
        ),
    }
    for section, (configured, carded) in pairs.items():
        for key, value in configured.items():
            if value != carded[key]:
                raise ConfigError(
                    f"{path / CONFIG}: {section}.{key} is not what the card of the trained model "
                    f"names, {carded[key]!r}; restore it"
                )
