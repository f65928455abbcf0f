"""Names and layouts of tensors in torch and in Flax: one table of names for each network.

A table maps a leaf's path, relative to its backbone, to the key of its tensor in the torch twin.
Keys under `network.` belong to timm's network; all others are the paper's additions, which no
published file holds. Flax stacks equal blocks along the first axis; `{n}` is a block's index there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from elbow_jax.models import BACKBONES
from elbow_jax.models.efficientnetv2 import NATIVE_FEATURES, EfficientNetV2
from elbow_jax.models.mobilenetv3 import MobileNetV3

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
    "layer_scale": "gamma",
}

CBAM = (
    (r"cbam(\d)/channel/reduce", r"cbam.\1.channel.fc1"),
    (r"cbam(\d)/channel/expand", r"cbam.\1.channel.fc2"),
    (r"cbam(\d)/spatial/conv/conv", r"cbam.\1.spatial.conv.conv"),
    (r"cbam(\d)/spatial/conv/norm", r"cbam.\1.spatial.conv.bn"),
)

CONVNEXT = (
    *CBAM,
    (r"stem", r"network.stem.0"),
    (r"stem_norm", r"network.stem.1"),
    (r"stage(\d)/downsample_norm", r"network.stages.\1.downsample.0"),
    (r"stage(\d)/downsample", r"network.stages.\1.downsample.1"),
    (r"stage(\d)/blocks", r"network.stages.\1.blocks.{n}"),
    (r"stage(\d)/blocks/depthwise", r"network.stages.\1.blocks.{n}.conv_dw"),
    (r"stage(\d)/blocks/norm", r"network.stages.\1.blocks.{n}.norm"),
    (r"stage(\d)/blocks/expand", r"network.stages.\1.blocks.{n}.mlp.fc1"),
    (r"stage(\d)/blocks/project", r"network.stages.\1.blocks.{n}.mlp.fc2"),
    (r"norm", r"network.head.norm"),
)

INVERTED_RESIDUAL = {
    "expand/conv": "conv_pw",
    "expand/norm": "bn1",
    "depthwise/conv": "conv_dw",
    "depthwise/norm": "bn2",
    "squeeze/reduce": "se.conv_reduce",
    "squeeze/expand": "se.conv_expand",
    "project/conv": "conv_pwl",
    "project/norm": "bn3",
}
FUSED = {
    "expand/conv": "conv_exp",
    "expand/norm": "bn1",
    "project/conv": "conv_pwl",
    "project/norm": "bn2",
}
SEPARABLE = {
    "depthwise/conv": "conv_dw",
    "depthwise/norm": "bn1",
    "project/conv": "conv_pw",
    "project/norm": "bn2",
}
STEM = ((r"stem/conv", r"network.conv_stem"), (r"stem/norm", r"network.bn1"))

EFFICIENTNETV2 = (
    *CBAM,
    *STEM,
    *(
        (rf"stage({stages})/{part}/{flax_name}", rf"network.blocks.\1.{number}.{torch_name}")
        for stages, names in (
            ("0", {"conv/conv": "conv", "conv/norm": "bn1"}),
            ("[12]", FUSED),
            ("[345]", INVERTED_RESIDUAL),
        )
        for part, number in (("first", "0"), ("rest", "{n+1}"))
        for flax_name, torch_name in names.items()
    ),
    (r"last/conv", r"network.conv_head"),
    (r"last/norm", r"network.bn2"),
)


def mobilenetv3(stages: int) -> tuple[tuple[str, str], ...]:
    """Return the table of a network; timm counts its last convolution as one more stage."""
    return (
        *CBAM,
        *STEM,
        *(
            (rf"stage({numbers})_block(\d)/{flax_name}", rf"network.blocks.\1.\2.{torch_name}")
            for numbers, names in (("0", SEPARABLE), (r"[1-9]", INVERTED_RESIDUAL))
            for flax_name, torch_name in names.items()
        ),
        (r"last/conv", rf"network.blocks.{stages}.0.conv"),
        (r"last/norm", rf"network.blocks.{stages}.0.bn1"),
        (r"narrow/conv", r"narrow.conv"),
        (r"narrow/norm", r"narrow.bn"),
    )


HEADS = (
    (r"head", r"head"),
    (r"head/norm", r"head.norm"),
    (r"head/hidden", r"head.hidden"),
    (r"head/logit", r"head.logit"),
)


@dataclass(frozen=True)
class Leaf:
    """One leaf of the variables and the keys of its tensors: several if it is stacked."""

    path: tuple[str, ...]
    shape: tuple[int, ...]
    keys: tuple[str, ...]
    stacked: bool

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """The shape of each of its tensors in torch's layout."""
        shape = self.shape[1:] if self.stacked else self.shape
        return tuple(shape[axis] for axis in _AXES[len(shape)])

    def split(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """Return the leaf's tensors by key, in torch's layout."""
        slices = value if self.stacked else value[None]
        return {
            key: np.ascontiguousarray(np.transpose(part, _AXES[part.ndim]))
            for key, part in zip(self.keys, slices, strict=True)
        }

    def join(self, tensors: list[np.ndarray]) -> np.ndarray:
        """Return the leaf's value from its tensors, given in the order of its keys."""
        parts = [np.transpose(tensor, np.argsort(_AXES[tensor.ndim])) for tensor in tensors]
        return np.ascontiguousarray(np.stack(parts) if self.stacked else parts[0])


# Flax to torch: `[k, k, in, out]` to `[out, in, k, k]`, `[in, out]` to `[out, in]`.
_AXES = {0: (), 1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}


def leaves(module: Any, variables: Mapping[str, Any]) -> Iterator[Leaf]:
    """Yield every leaf of a network's variables with its keys in the torch twin.

    Raises:
        ValueError: a path that no table maps.
    """
    flat: dict[tuple[str, ...], Any] = flatten_dict(dict(variables))
    for path, value in flat.items():
        collection, top, *rest = path
        if top == "head":
            table, prefix, name = HEADS, "", "/".join((top, *rest[:-1]))
        else:
            backbone = getattr(module, top)
            table, prefix, name = _table(backbone), f"{top}.", "/".join(rest[:-1])
        torch_module = _torch_module(name, table)
        if torch_module is None:
            raise ValueError(f"{collection}/{'/'.join(path[1:])}: no table of porting maps it")
        template = f"{prefix}{torch_module}.{LEAVES[rest[-1]]}"
        shape = tuple(value.shape)
        if "{" in template:
            numbers = range(shape[0])
            keys = (template.replace("{n}", f"{n}").replace("{n+1}", f"{n + 1}") for n in numbers)
            yield Leaf(path, shape, tuple(keys), True)
        else:
            yield Leaf(path, shape, (template,), False)


def _torch_module(name: str, table: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, replacement in table:
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(replacement)
    return None


def _table(backbone: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(backbone, EfficientNetV2):
        return EFFICIENTNETV2
    if isinstance(backbone, MobileNetV3):
        return mobilenetv3(len(backbone.variant.stages))
    return CONVNEXT


def ignored(backbone: Any) -> tuple[str, ...]:
    """Return the prefixes of keys in a published file that a backbone does not use."""
    if isinstance(backbone, EfficientNetV2):
        resized = backbone.features != NATIVE_FEATURES
        return ("classifier.", "conv_head.", "bn2.") if resized else ("classifier.",)
    if isinstance(backbone, MobileNetV3):
        return ("classifier.", "conv_head.")
    return ("head.fc.",)


def stem_key(backbone: Any) -> str:
    """Return the key of the first convolution in a published file."""
    mobile = isinstance(backbone, EfficientNetV2 | MobileNetV3)
    return "conv_stem.weight" if mobile else "stem.0.weight"


def is_new(leaf: Leaf, module: Any) -> bool:
    """Return whether no published file holds the leaf: heads, CBAM, new or resized convolutions."""
    top = leaf.path[1]
    if top not in (*BACKBONES, "backbone"):
        return True
    name = leaf.keys[0].removeprefix(f"{top}.")
    return not name.startswith("network.") or name.removeprefix("network.").startswith(
        ignored(getattr(module, top))
    )
