"""Convert weights from timm to the Flax networks and back: a pure, strict mapping.

Arrays are NumPy's, and torch is not imported. A surplus tensor, a missing one or one of another
shape is an error that names it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from elbow_jax.porting.layouts import Leaf, ignored, is_new, leaves, stem_key

COUNTER = "num_batches_tracked"  # in torch's batch normalisation; Flax has no such counter


def port_backbone(
    state_dict: Mapping[str, np.ndarray], module: Any, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the variables of a single network with its backbone filled from timm's tensors.

    A grey stem is the sum of the colour stem over its input channels: one grey channel then gives
    the output of three equal ones. The paper's additions (see `new_leaves`) keep their values.

    Args:
        state_dict: tensors by timm's names.
        module: a network of `build_model`, not the fusion network.
        variables: its initial `params` and `batch_stats`.

    Raises:
        ValueError: tensors that are missing, surplus or of a wrong shape, each named.
    """
    if not hasattr(module, "backbone"):
        raise ValueError("porting: a fusion network starts from three trained ones, not from timm")
    source = {key: value for key, value in state_dict.items() if not key.endswith(COUNTER)}
    source = {
        key: value for key, value in source.items() if not key.startswith(ignored(module.backbone))
    }
    stem = stem_key(module.backbone)
    if module.in_channels == 1 and stem in source and source[stem].shape[1] == 3:
        # Summed in bfloat16, the stem would be off by 0.25 %.
        precision = np.result_type(source[stem].dtype, np.float32)
        source[stem] = source[stem].sum(axis=1, keepdims=True, dtype=precision)
    published = [leaf for leaf in leaves(module, variables) if not is_new(leaf, module)]
    prefix = "backbone.network."
    tensors = {f"{prefix}{key}": value for key, value in source.items()}
    filled = _fill(tensors, published, name=lambda key: key.removeprefix(prefix))
    return unflatten_dict({**flatten_dict(dict(variables)), **filled})


def new_leaves(module: Any, variables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of leaves that no published file fills: heads, CBAM, new convolutions."""
    return tuple("/".join(leaf.path) for leaf in leaves(module, variables) if is_new(leaf, module))


def to_torch(variables: Mapping[str, Any], module: Any) -> dict[str, np.ndarray]:
    """Return the state dict of the torch twin of a network; the twin loads it strictly."""
    flat = flatten_dict(dict(variables))
    state_dict: dict[str, np.ndarray] = {}
    for leaf in leaves(module, variables):
        state_dict.update(leaf.split(np.asarray(flat[leaf.path])))
        if leaf.path[-1] == "mean":
            for key in leaf.keys:
                state_dict[f"{key.rpartition('.')[0]}.{COUNTER}"] = np.zeros((), np.int64)
    return state_dict


def ensemble_to_torch(members: Iterable[Mapping[str, Any]], module: Any) -> dict[str, np.ndarray]:
    """Return the state dict of `build_ensemble_twin`, from the variables of each member."""
    return {
        f"members.{number}.{key}": array
        for number, variables in enumerate(members)
        for key, array in to_torch(variables, module).items()
    }


def from_torch(
    state_dict: Mapping[str, np.ndarray], module: Any, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the variables in a torch twin's state dict; the inverse of `to_torch`.

    Args:
        state_dict: every tensor of the twin, heads and CBAM included.
        module: the network.
        variables: variables of the same network, for their paths and shapes.

    Raises:
        ValueError: tensors that are missing, surplus or of a wrong shape, each named.
    """
    source = {key: value for key, value in state_dict.items() if not key.endswith(COUNTER)}
    return unflatten_dict(_fill(source, list(leaves(module, variables))))


def _fill(
    source: Mapping[str, np.ndarray], expected: list[Leaf], name: Callable[[str], str] = str
) -> dict[tuple[str, ...], np.ndarray]:
    """Return the values of leaves from tensors by key: each tensor used once, each leaf filled.

    ``name`` turns a key into its name in error messages.
    """
    keys = {key: leaf for leaf in expected for key in leaf.keys}
    missing = [name(key) for key in keys if key not in source]
    surplus = [name(key) for key in source if key not in keys]
    misshapen = [
        f"{name(key)} (is {list(source[key].shape)}, should be {list(leaf.tensor_shape)})"
        for key, leaf in keys.items()
        if key in source and source[key].shape != leaf.tensor_shape
    ]
    problems = (("missing", missing), ("surplus", surplus), ("misshapen", misshapen))
    if any(names for _, names in problems):
        raise ValueError(
            "; ".join(f"{kind}: {_first_names(names)}" for kind, names in problems if names)
        )
    return {
        leaf.path: leaf.join([np.asarray(source[key], np.float32) for key in leaf.keys])
        for leaf in expected
    }


def _first_names(names: Iterable[str], count: int = 5) -> str:
    names = sorted(names)
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest
