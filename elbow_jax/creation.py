"""A network with its variables, in one call: for code outside this project."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Float

from elbow_core.errors import ConfigError, UserError
from elbow_core.radiographs import Preprocessing
from elbow_jax import networks
from elbow_jax.models import Backbone, ModelConfig
from elbow_jax.training import card_of_weights, read_initial_weights

# Variables do not depend on the side of the image that traces their shapes.
_SIZE = 64


@dataclass(frozen=True, eq=False)
class Network:
    """A network as pure functions of its variables, and variables to begin with.

    Attributes:
        config: the network by name.
        module: the Flax module; `elbow_jax.steps` takes its ``apply``.
        variables: ``params`` and ``batch_stats``, float32. They are a value, not a state: training
            returns new ones.
        dtype: of the computation.
        origin: where `variables` come from: None for random ones, else ``source`` and ``sha256`` of
            the weights, and what else is known of them.
        preprocessing: of the radiographs that the weights of a run or shipped ones learnt from;
            None for all others.
    """

    config: ModelConfig
    module: Any
    variables: dict[str, Any]
    dtype: Any
    origin: dict[str, Any] | None
    preprocessing: Preprocessing | None

    def apply(
        self,
        variables: Mapping[str, Any],
        image: Float[Array, "batch height width channels"],
        train: bool = False,
        **options: Any,
    ) -> Any:
        """Return ``(logits, endpoints)``: one float32 logit of injury an image, and the maps.

        With ``mutable`` the result is a pair of that and the updated collections, as in Flax.

        Args:
            variables: such as `variables`.
            image: normalised grey levels (`elbow_jax.steps.normalise`).
            train: dropout and stochastic depth, and statistics of the batch; needs
                ``rngs={"dropout": key}`` and ``mutable=["batch_stats"]``.
            options: of `flax.linen.Module.apply`.
        """
        return self.module.apply(variables, image, train=train, **options)


def create(
    backbone: Backbone,
    *,
    pretrained: str | Mapping[str, str] | None = None,
    architecture: str | None = None,
    precision: networks.Precision = "float32",
    seed: int = 0,
    **options: Any,
) -> Network:
    """Return a network and its variables: published, of a run, shipped, or random.

    ``create("convnext_tiny", cbam=True, pretrained="timm/convnext_tiny.fb_in1k")`` downloads
    ImageNet's weights and sums their stem over its channels; attention and head are random. The
    weights that come with the project need no network:

    >>> import jax
    >>> import jax.numpy as jnp
    >>> import elbow_jax
    >>> from elbow_jax.steps import normalise
    >>> network = elbow_jax.create("convnext_tiny", pretrained="synthetic/convnext_tiny_small")
    >>> network.config.variant
    'small'
    >>> radiographs = jnp.zeros((2, 96, 96, 1), jnp.uint8)
    >>> logits, endpoints = jax.jit(network.apply)(network.variables, normalise(radiographs))
    >>> logits.shape, endpoints["features"].shape
    ((2,), (2, 192))

    Args:
        backbone: one of the three networks, or ``fusion`` of all three.
        pretrained: as ``init`` in a configuration: a tag such as timm/convnext_tiny.fb_in1k or
            synthetic/convnext_tiny_small, a file of weights, the directory of a finished run, or
            for ``fusion`` a run or a tag synthetic/... for each backbone. None: random weights.
        architecture: name in timm or torchvision of the network that a file is of, if the file does
            not say it.
        precision: of the computation; ``auto`` is bfloat16 on an accelerator.
        seed: of the random variables.
        options: further fields of `elbow_jax.models.ModelConfig`, such as ``cbam=False``. What is
            left out is as in the network of `pretrained` where that is a run or ships with the
            project, else `ModelConfig`'s default. The stem takes one grey channel.

    Raises:
        UserError: if the weights cannot be read or are of another network, or an option has a value
            that cannot be built.
        TypeError: if an option is no field of `ModelConfig`.
    """
    try:
        card = card_of_weights(pretrained)
        stated = ModelConfig(backbone=backbone)
        if card is not None and card.architecture.backbone == backbone:
            stated = card.architecture
        config = dataclasses.replace(stated, **options)
        if config.in_channels != 1:
            raise ConfigError(
                f"in_channels: {config.in_channels}: radiographs have 1; `build_model` builds a "
                "network for colour"
            )
        module = networks.build(config, precision)
        shapes = networks.variable_shapes(module, _SIZE)
        initialise = functools.partial(networks.initialise, module, _SIZE, seed)
        initial = read_initial_weights(config, pretrained, architecture, shapes, initialise)
    except UserError as error:
        message = str(error).removeprefix("init: ").removeprefix("model.")
        raise type(error)(message) from error
    return Network(
        config,
        module,
        initial.variables,
        networks.compute_dtype(precision),
        initial.origin,
        None if card is None else card.preprocessing,
    )
