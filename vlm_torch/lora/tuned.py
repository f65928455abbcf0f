"""A finished run, opened to answer or to be merged."""

from dataclasses import dataclass
from pathlib import Path

from elbow_core.config import load_config
from elbow_core.errors import ConfigError
from elbow_core.runs import CONFIG
from vlm_torch.config import FinetuneConfig, FolderBase, HubBase, ModelSection
from vlm_torch.lora.adapter import AdapterCard, read_card, require_base
from vlm_torch.models.base import BaseFolder, find_base

ADAPTER, MERGED = "adapter", "merged"


@dataclass(frozen=True)
class TunedRun:
    """A run's configuration and card, and the checkpoint that answers.

    ``adapter`` goes beside it; None where it is merged in.
    """

    path: Path
    config: FinetuneConfig
    card: AdapterCard
    base: BaseFolder
    adapter: Path | None


def configured_model(path: Path) -> ModelSection:
    """Return what a run says of its model; raises `ConfigError` where it is no run."""
    return _read_config(path).model


def open_tuned(path: Path, base: Path | None) -> TunedRun:
    """Open a finished run; ``base`` says where its base model lies now, if it was moved.

    Raises:
        UserError: no finished run there, or another base model or other libraries than its own.
    """
    config = _read_config(path)
    card = read_card(path / ADAPTER)
    model = config.model
    if base is not None:
        model = model.model_copy(update={"base": FolderBase(path=base)})
    elif isinstance(model.base, HubBase):
        pinned = model.base.model_copy(update={"revision": card.base_revision})
        model = model.model_copy(update={"base": pinned})
    found = find_base(model, path.parent)
    require_base(path / ADAPTER, card, found)
    return TunedRun(path, config, card, found, path / ADAPTER)


def open_merged(path: Path) -> TunedRun:
    """Open a finished run by its merged checkpoint.

    Raises:
        UserError: no finished run there, not merged, or other libraries than its own.
    """
    if not (path / MERGED).is_dir():
        raise ConfigError(f"{path / MERGED}: is missing; run `python -m vlm_torch.merge` first")
    config = _read_config(path)
    update = {"base": FolderBase(path=path / MERGED), "four_bit": False}
    model = config.model.model_copy(update=update)
    card = read_card(path / ADAPTER)
    found = find_base(model, path.parent)
    return TunedRun(path, config.model_copy(update={"model": model}), card, found, None)


def _read_config(path: Path) -> FinetuneConfig:
    if not (path / CONFIG).is_file():
        raise ConfigError(f"{path}: is not a run ({CONFIG} is missing)")
    return load_config(FinetuneConfig, path / CONFIG)
