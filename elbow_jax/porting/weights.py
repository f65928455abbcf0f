"""Published weights under timm's names, and the variables of a network that starts from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from elbow_core.errors import UserError
from elbow_jax.models import (
    Backbone,
    Convention,
    ModelConfig,
    build_model,
    efficientnetv2,
    mobilenetv3,
)
from elbow_jax.porting.architectures import same_tensors
from elbow_jax.porting.mapping import port_backbone


@dataclass(frozen=True)
class Weights:
    """A state dict under timm's names, and its origin.

    Attributes:
        backbone: the network of these weights.
        tensors: by timm's names, float32.
        stated_convention: the library that trained the network (`ModelConfig.convention`), or None
            if nothing tells it: several architectures have these tensors.
        origin: `source`, `revision` (the hub's commit, or empty), `sha256` of the file, `network`
            (the architecture, or empty) and `tensors` (which weights of the file these are, if it
            holds several).
    """

    backbone: Backbone
    tensors: dict[str, np.ndarray]
    stated_convention: Convention | None
    origin: dict[str, str]

    @property
    def convention(self) -> Convention:
        """The library that trained the network; raises `UserError` if nothing tells it."""
        if self.stated_convention is None:
            raise UserError(
                f"{self.origin['source']}: does not say which network it is of: "
                f"{' and '.join(same_tensors(self.backbone))} have the same tensors and compute "
                "different things; name it, with --architecture here or with init_architecture in "
                "a run's configuration"
            )
        return self.stated_convention


def start_from_weights(
    weights: Weights, config: ModelConfig, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the variables of a single network with its backbone filled from published weights.

    Args:
        weights: of the same architecture.
        config: the network; its convention is taken for weights that do not state theirs.
        variables: its initial variables; leaves that no published file holds keep their values.

    Raises:
        UserError: naming the tensors that do not fit.
    """
    source = weights.origin["source"]
    stated = weights.stated_convention
    if stated not in (None, config.convention) and config.backbone != "convnext_tiny":
        raise UserError(
            f"{source}: weights from {stated}, whose padding or epsilon differs; set "
            f"model.convention: {stated}"
        )
    try:
        return port_backbone(weights.tensors, build_model(config), variables)
    except ValueError as error:
        raise UserError(f"{source}: does not fit {config.backbone}: {error}") from error


def plain_network(backbone: Backbone, convention: Convention, in_channels: int) -> ModelConfig:
    """Return the network as published, without CBAM and at its own width.

    A published file fills all of it except the head.
    """
    widths = {
        "efficientnetv2_s": efficientnetv2.NATIVE_FEATURES,
        "mobilenetv3_large": mobilenetv3.VARIANTS["full"].last,
    }
    return ModelConfig(
        backbone=backbone,
        convention=convention,
        cbam=False,
        features=widths.get(backbone),
        in_channels=in_channels,
    )
