"""Initial weights of a run: random, from finished runs, or published."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from elbow_core.errors import ConfigError, HubError
from elbow_jax.models import ModelConfig, fuse_variables
from elbow_jax.networks import shapes_by_path
from elbow_jax.porting import PUBLISHED, read_weights, start_from_weights
from elbow_jax.runtime import is_main
from elbow_jax.scoring import ModelCard, ReleasedModel, read_card, read_single
from elbow_jax.training.initial.shipped import SHIPPED, is_shipped, read_shipped
from elbow_jax.training.run_directory import RunDirectory

Init = str | Mapping[str, str]
Initialise = Callable[[str | None], dict[str, Any]]


@dataclass(frozen=True)
class InitialWeights:
    """The variables that a run starts with, and where they come from.

    Attributes:
        variables: ``params`` and ``batch_stats``.
        origin: None for random ones. Else `source` and `sha256` of the file of weights, with the
            `step` of a run or the `revision` (the hub's commit), `network` and `tensors` of
            published weights; for the fusion network one of these for each backbone.
    """

    variables: dict[str, Any]
    origin: dict[str, Any] | None


def initial_variables(
    config: ModelConfig, init: Init | None, shapes: Mapping[str, Any], initialise: Initialise
) -> dict[str, Any]:
    """Return the variables of `read_initial_weights`, for a file that states its architecture."""
    return read_initial_weights(config, init, None, shapes, initialise).variables


def read_initial_weights(
    config: ModelConfig,
    init: Init | None,
    architecture: str | None,
    shapes: Mapping[str, Any],
    initialise: Initialise,
) -> InitialWeights:
    """Return the variables that a run starts with: from `init` where it has them, else random.

    Args:
        config: the network.
        init: the directory of a finished run of the same network or a tag of shipped weights; for
            the fusion network one of these for each backbone; published weights, by tag or file; or
            None.
        architecture: the name of the network that a file in `init` is of, if it does not state it.
        shapes: of the network's variables.
        initialise: returns random variables, of one part of the network (such as its head) if that
            is given.

    Raises:
        UserError: if `init` cannot be read, is not finished, is of another network, or does not say
            which of several networks with the same tensors it is of.
    """
    is_file = isinstance(init, str) and not is_shipped(init) and not Path(init).is_dir()
    if architecture is not None and not is_file:
        raise ConfigError(
            f"init_architecture: {architecture} names the network of a file in `init`, which is "
            f"{'random weights' if init is None else 'a run'} here; leave it out"
        )
    if init is None:
        return InitialWeights(initialise(None), None)
    if isinstance(init, Mapping):
        if config.backbone != "fusion":
            raise ConfigError(f"init: several runs start the fusion network, not {config.backbone}")
        released = {name: _read_model(source, name) for name, source in init.items()}
        head = initialise("head")
        start = {name: {**shapes[name], **head[name]} for name in shapes}
        trained = {name: model.variables for name, model in released.items()}
        try:
            variables = fuse_variables(start, trained)
        except ValueError as error:
            raise ConfigError(f"init: {error}") from error
        origins = {name: _origin(path, released[name]) for name, path in init.items()}
        return InitialWeights(_as_arrays(variables), origins)
    if is_file:
        backbone = None if config.backbone == "fusion" else config.backbone
        try:
            weights = read_weights(init, backbone, architecture)
        except HubError as error:
            raise HubError(
                f"init: {init}: cannot be downloaded; give the file model.safetensors of that "
                "model in place of the tag, or begin from shipped weights: model.variant: small "
                f"and init: {' or '.join(SHIPPED)}"
            ) from error
        if config.variant == "full":
            _ = weights.convention  # refuses weights of which several networks have the tensors
        if weights.origin.get("tensors") and is_main():
            print(f"init: {init}: {weights.origin['tensors']}", file=sys.stderr)
        variables = start_from_weights(weights, config, initialise(None))
        return InitialWeights(_as_arrays(variables), dict(weights.origin))
    model = _read_model(init, config.backbone)
    if model.card.architecture.variant != config.variant:
        raise ConfigError(
            f"init: {init} is of the variant {model.card.architecture.variant}, and model.variant "
            f"is {config.variant}"
        )
    expected, found = shapes_by_path(shapes), shapes_by_path(model.variables)
    if expected != found:
        keys = expected.keys() | found.keys()
        key = min(key for key in keys if expected.get(key) != found.get(key))
        raise ConfigError(
            f"init: {init} is of another network: {key} is {found.get(key, 'missing')} there and "
            f"{expected.get(key, 'missing')} here; give both runs the same `model:`"
        )
    return InitialWeights(_as_arrays(model.variables), _origin(init, model))


def card_of_weights(init: Init | None) -> ModelCard | None:
    """Return the card of a finished run's model or of shipped weights; None for all else.

    Raises:
        ConfigError: if `init` has the form of a tag of shipped weights and is none, or is a folder
            that is no finished run, or its model is damaged.
    """
    if not isinstance(init, str):
        return None
    if is_shipped(init):
        return read_shipped(init).card
    return read_card(_finished_model(init)) if Path(init).is_dir() else None


def missing_weights(init: Init | None) -> list[str]:
    """Return the runs and files in `init` that no longer exist."""
    if init is None:
        return []
    sources = [init] if isinstance(init, str) else list(init.values())
    tags = {*PUBLISHED, *SHIPPED}
    return [source for source in sources if source not in tags and not Path(source).exists()]


def _read_model(source: str, backbone: str) -> ReleasedModel:
    """Return shipped weights or a finished run's model; refuse those of another backbone."""
    shipped = is_shipped(source)
    released = read_shipped(source) if shipped else read_single(_finished_model(source))
    found = released.card.architecture.backbone
    if found != backbone:
        raise ConfigError(f"init: {source} is of another network: {found}, not {backbone}")
    return released


def _finished_model(source: str) -> Path:
    model = RunDirectory(Path(source)).model
    if not model.is_dir():
        raise ConfigError(f"init: {source} is not finished; continue it with --resume first")
    return model


def _origin(source: str, model: ReleasedModel) -> dict[str, Any]:
    return {"source": source, "step": model.card.step, "sha256": model.card.weights_sha256}


def _as_arrays(variables: Mapping[str, Any]) -> dict[str, Any]:
    return jax.tree.map(jnp.asarray, dict(variables))
