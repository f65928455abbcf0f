"""LoRA adapters on disk: peft's two files, and the card."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open

from elbow_core.dataset import SEEN_FILE, SeenImages
from elbow_core.errors import UserError, library_reason
from elbow_core.files import atomic_folder
from vlm_torch.config import LoraSection
from vlm_torch.lora.card import installed_versions, write_card
from vlm_torch.lora.layers import without_deprecation_warnings
from vlm_torch.models import BaseCheckpoint, not_finite, read_config

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
# Fields of peft's configuration that `add_lora` chooses, or that peft writes into the file; all
# others must have peft's defaults. Some of those others name modules of Python that peft imports.
_OURS = ("r", "lora_alpha", "lora_dropout", "task_type", "ensure_weight_tying")
_NAMES = ("target_modules", "modules_to_save")
_WRITTEN = ("base_model_name_or_path", "inference_mode", "peft_version")


def write_adapter(
    folder: Path, checkpoint: Path, base: BaseCheckpoint, seen: SeenImages, **fields: Any
) -> None:
    """Copy the adapter from a Trainer checkpoint and write its card, atomically.

    ``seen`` is what it learnt from; ``fields`` are those of `AdapterCard` that concern the run. The
    place of the base model, which peft writes into its configuration, is replaced by the base
    model's name.
    """
    with atomic_folder(folder) as partial:
        shutil.copyfile(checkpoint / WEIGHTS, partial / WEIGHTS)
        settings = read_config(checkpoint / SETTINGS) | {"base_model_name_or_path": base.origin}
        text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        (partial / SETTINGS).write_text(text, encoding="utf-8")
        (partial / SEEN_FILE).write_bytes(seen.to_bytes())
        write_card(
            partial,
            {
                "base_origin": base.origin,
                "base_revision": base.revision,
                "base_fingerprint": base.fingerprint,
                "versions": installed_versions(),
                **fields,
            },
        )


def load_adapter(model: Any, folder: Path, lora: LoraSection) -> PeftModel:
    """Add an adapter to a loaded base model, for inference.

    Args:
        model: the base model.
        folder: of the adapter.
        lora: from its card.

    Raises:
        UserError: settings that are not those of ``lora``, tensors that are not exactly those of
            the adapted model, or a weight that is not finite.
    """
    config = _read_settings(folder / SETTINGS, lora)
    weights = folder / WEIGHTS
    try:
        with without_deprecation_warnings(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # named below
            adapted = PeftModel.from_pretrained(
                model, str(folder), config=config, local_files_only=True
            )
        expected = get_peft_model_state_dict(adapted).keys()
        with safe_open(weights, framework="pt") as opened:
            found = set(opened.keys())
            tensors = ((name, opened.get_tensor(name)) for name in sorted(found))
            if name := not_finite(tensors):
                raise UserError(f"{weights}: {name} holds numbers that are not finite")
    except (UserError, MemoryError):
        raise
    except Exception as error:  # peft and safetensors raise any kind
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{weights}: cannot be loaded: {library_reason(error)}") from error
    if difference := sorted(expected ^ found):
        state = "is missing" if difference[0] in expected else "has no place in the model"
        raise UserError(
            f"{weights}: {difference[0]} {state} ({len(difference)} tensors differ); it does not "
            "belong to this base model"
        )
    return adapted


def _read_settings(file: Path, lora: LoraSection) -> LoraConfig:
    """Return peft's configuration, built from the fields that `add_lora` chooses and no others."""
    settings = read_config(file)
    standard = LoraConfig().to_dict()
    for key, value in settings.items():
        if key in (*_OURS, *_NAMES, *_WRITTEN):
            continue
        if key not in standard or value != json.loads(json.dumps(standard[key])):
            raise UserError(f"{file}: {key} is {str(value)[:80]}, which no adapter of ours has")
    for key in _NAMES:
        names = settings.get(key)
        optional = key == "modules_to_save" and names is None
        if not optional and not (
            isinstance(names, list) and all(isinstance(name, str) for name in names)
        ):
            raise UserError(f"{file}: {key} is not a list of names")
    expected = {"r": lora.rank, "lora_alpha": lora.alpha, "lora_dropout": lora.dropout}
    for key, value in expected.items():
        if settings.get(key) != value:
            raise UserError(f"{file}: {key} is {settings.get(key)!r}, and the card says {value}")
    return LoraConfig(**{key: settings[key] for key in (*_OURS, *_NAMES) if key in settings})
