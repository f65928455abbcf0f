"""Opens a finished fine-tuning run, or the trained model alone, for prediction or for merging."""

from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import ConfigError
from elbow_core.runs import CONFIG, locate
from vlm_torch.config import (
    ADAPTER,
    MERGED,
    FinetuneConfig,
    FolderBase,
    HubBase,
    ModelSection,
    read_run_config,
)
from vlm_torch.lora.card import CARD, AdapterCard, read_card, read_merged_card, require_base
from vlm_torch.models import ADAPTER_CONFIG, BaseCheckpoint, find_base


@dataclass(frozen=True)
class FinetunedModel:
    """A base checkpoint and the adapter to add to it, with the card of both.

    For a merged checkpoint, ``base`` is that checkpoint and ``adapter`` is None.
    """

    card: AdapterCard
    model: ModelSection
    base: BaseCheckpoint
    adapter: Path | None

    @property
    def folder(self) -> Path:
        """Where the card lies."""
        return self.base.path if self.adapter is None else self.adapter


@dataclass(frozen=True)
class FinetunedRun(FinetunedModel):
    """The trained model of a run, with the run's configuration."""

    path: Path
    config: FinetuneConfig


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
    if base is None and isinstance(model.base, FolderBase):
        base = locate(path, model.base.path)
    model = _with_base(model, base, card)
    checkpoint = find_base(model, path.parent)
    require_base(path / ADAPTER, card, checkpoint)
    return FinetunedRun(card, model, checkpoint, path / ADAPTER, path, config)


def open_merged_run(path: Path) -> FinetunedRun:
    """Open a run with its merged checkpoint; neither peft nor the adapter is needed.

    Raises:
        UserError: no run, not merged, a file or a setting that is not that of the checkpoint's
            card, or another release of transformers.
    """
    if not (path / MERGED).is_dir():
        raise ConfigError(f"{path / MERGED}: is missing; run `python -m vlm_torch.merge` first")
    config = read_run_config(path)
    merged = _open_merged(path / MERGED, config.model)
    _require_same(path, config, merged.card)
    return FinetunedRun(merged.card, merged.model, merged.base, None, path, config)


def open_finetuned_model(folder: Path, base: Path | None) -> FinetunedModel:
    """Open the adapter or the merged checkpoint in a folder, of a run or away from it.

    The base model of an adapter is where the card, the run beside it or ``base`` says.

    Raises:
        UserError: neither of the two in the folder, a file that is not the card's, a base model
            that is not found or another, or other library versions.
    """
    if not (folder / CARD).is_file():
        raise ConfigError(
            f"{folder}: holds no {CARD}; give the folder {ADAPTER} or {MERGED} of a finished run"
        )
    if not (folder / ADAPTER_CONFIG).exists():
        if base is not None:
            raise ConfigError(f"--base: {folder} is a merged checkpoint, which needs none")
        return _open_merged(folder, read_merged_card(folder).model)
    run = folder.absolute().parent
    if folder.absolute().name == ADAPTER and (run / CONFIG).is_file():
        return open_finetuned_run(run, base)
    card = read_card(folder)
    if base is None and not isinstance(card.model.base, HubBase):
        raise ConfigError(
            f"{folder}: was trained on {card.base_origin}, which is not on the hub; give its "
            "folder with --base"
        )
    model = _with_base(card.model, base, card)
    checkpoint = find_base(model, folder.parent)
    require_base(folder, card, checkpoint)
    return FinetunedModel(card, model, checkpoint, folder)


def _open_merged(folder: Path, model: ModelSection) -> FinetunedModel:
    update = {"base": FolderBase(path=folder), "four_bit": False}
    merged = model.model_copy(update=update)
    card = read_merged_card(folder)
    return FinetunedModel(card, merged, find_base(merged, folder.parent), None)


def _with_base(model: ModelSection, base: Path | None, card: AdapterCard) -> ModelSection:
    """Return a model whose base is in the folder ``base``, or at the card's commit of the hub."""
    if base is not None:
        return model.model_copy(update={"base": FolderBase(path=base)})
    if isinstance(model.base, HubBase):
        pinned = model.base.model_copy(update={"revision": card.base_revision})
        return model.model_copy(update={"base": pinned})
    return model


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
