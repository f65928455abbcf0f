"""Find the weights in what training scripts save: wrappers, averaged weights, prefixes of names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema")
PLAIN = ("state_dict", "model_state_dict", "model")
"""Keys of a checkpoint that hold its weights: exponential moving averages, and as trained."""

_AVERAGED_MODULES = ("model_ema", "ema_model", "ema", "averaged_model")
_OUTER_MODULES = ("module", "model", "net", "network", "backbone")
# Components that torch.compile, FSDP and activation checkpointing insert anywhere in a name.
_INSERTED = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_COUNTER = "n_averaged"  # of torch.optim.swa_utils.AveragedModel


@dataclass(frozen=True)
class Selection:
    """The weights of a checkpoint, and where they were found.

    Attributes:
        tensors: by name, without the prefixes of wrappers.
        taken: the key or module that held them, such as ``state_dict_ema``; empty for a file that
            holds nothing else.
        left: keys or modules of other weights in the file, not taken.
    """

    tensors: dict[str, Any]
    taken: str
    left: tuple[str, ...]

    def __str__(self) -> str:
        averaged = {*AVERAGED, *_AVERAGED_MODULES} & set(self.taken.split("."))
        kind = " (averaged weights)" if averaged else ""
        return f"{self.taken}{kind}{', not ' if self.left else ''}{', '.join(self.left)}"


def select_weights(content: Mapping[str, Any]) -> Selection:
    """Return the weights of a checkpoint; averaged weights go before those as trained.

    timm's loader makes the same choice. Prefixes such as ``module.``, ``model.`` and
    ``_orig_mod.``, nested too, are removed.

    Args:
        content: what ``torch.save`` wrote, or the tensors of a `.safetensors` file by name.

    Raises:
        ValueError: two tensors have the same name without their prefixes.

    Reference: ``load_state_dict`` and ``clean_state_dict`` of timm/models/_helpers.py.
    """
    path: list[str] = []
    left: list[str] = []
    while found := [
        key for key in (*AVERAGED, *PLAIN) if isinstance(content.get(key), Mapping) and content[key]
    ]:
        taken, *others = found
        path.append(taken)
        left += others
        content = content[taken]
    tensors = {}
    for key, value in content.items():
        parts = [part for part in str(key).split(".") if part not in _INSERTED]
        name = ".".join(parts)
        if name in tensors:
            raise ValueError(f"two tensors are named {name} without the prefixes of wrappers")
        if parts[-1:] != [_COUNTER]:
            tensors[name] = value
    while outer := _outer_module(tensors):
        inside = {
            name.removeprefix(f"{outer}."): value
            for name, value in tensors.items()
            if name.startswith(f"{outer}.")
        }
        if outer in _AVERAGED_MODULES:
            path.append(outer)
            left += sorted({name.partition(".")[0] for name in tensors} - {outer})
        tensors = inside
    return Selection(tensors, ".".join(path), tuple(left))


def _outer_module(tensors: Mapping[str, Any]) -> str | None:
    """Return the module to take: the averaged one, or the only one if it is a wrapper."""
    modules = {name.partition(".")[0] for name in tensors}
    for module in _AVERAGED_MODULES:
        if module in modules:
            return module
    (first, *others) = modules or {""}
    return first if not others and first in _OUTER_MODULES else None
