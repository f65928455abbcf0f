"""PyTorch modules of the networks: timm's backbones, the paper's additions, and heads.

Images are `[B, C, H, W]`, normalised as for the Flax networks.
"""

from typing import Any

import torch
from timm.layers.cbam import CbamModule
from torch import Tensor, nn

from elbow_jax.models import BACKBONES


class ClassifierTwin(nn.Module):
    """One backbone, dropout and a linear layer on its pooled vector."""

    def __init__(self, backbone: nn.Module, features: int, dropout: float):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits `[B]` and endpoints: `feature_map` before pooling, `features` after it."""
        feature_map, features = self.backbone(image)
        logits = self.head(self.dropout(features))[:, 0]
        return logits, {"feature_map": feature_map, "features": features}


class FusionTwin(nn.Module):
    """Concatenated vectors of three backbones, normalisation, dropout and two linear layers."""

    def __init__(self, backbones: dict[str, "BackboneTwin"], dropout: float):
        super().__init__()
        for name, backbone in backbones.items():
            self.add_module(name, backbone)
        width = sum(backbone.features for backbone in backbones.values())
        self.head = nn.ModuleDict(
            {
                "norm": nn.BatchNorm1d(width),
                "dropout": nn.Dropout(dropout),
                "hidden": nn.Linear(width, width // 9),
                "logit": nn.Linear(width // 9, 1),
            }
        )

    def forward(self, image: Tensor) -> tuple[Tensor, dict]:
        """Return logits `[B]` and endpoints: the concatenated `features`, and each backbone's."""
        endpoints: dict = {}
        for name in BACKBONES:
            feature_map, features = getattr(self, name)(image)
            endpoints[name] = {"feature_map": feature_map, "features": features}
        features = torch.cat([endpoints[name]["features"] for name in BACKBONES], dim=1)
        x = self.head["dropout"](self.head["norm"](features))
        logits = self.head["logit"](torch.relu(self.head["hidden"](x)))[:, 0]
        return logits, endpoints | {"features": features}


class BackboneTwin(nn.Module):
    """A timm network without its classifier, with the paper's additions."""

    def __init__(self, network: Any, cbam_widths: list[int], features: int):
        super().__init__()
        self.network: Any = network
        self.cbam = nn.ModuleList(CbamModule(width) for width in cbam_widths)
        self.features = features

    def attend(self, number: int, x: Tensor) -> Tensor:
        """Apply the attention of that number, if the network has attention."""
        return self.cbam[number](x) if self.cbam else x


class ConvNeXtTwin(BackboneTwin):
    """CBAM after each of the four stages."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last feature map, and its normalised mean over the image."""
        x = self.network.stem(image)
        for number, stage in enumerate(self.network.stages):
            x = self.attend(number, stage(x))
        return x, self.network.head(x)


class EfficientNetV2Twin(BackboneTwin):
    """CBAM between the fused and the depthwise stages, and after the final convolution."""

    def __init__(self, network: Any, cbam_widths: list[int], features: int, fused: int):
        super().__init__(network, cbam_widths, features)
        self.fused = fused

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last feature map and its mean over the image."""
        network = self.network
        x = network.bn1(network.conv_stem(image))
        for number, stage in enumerate(network.blocks):
            x = stage(self.attend(0, x) if number == self.fused else x)
        x = self.attend(1, network.bn2(network.conv_head(x)))
        return x, x.mean((2, 3))


class MobileNetV3Twin(BackboneTwin):
    """One additional convolution after the last, then CBAM."""

    def __init__(
        self, network: nn.Module, cbam_widths: list[int], features: int, last: int, epsilon: float
    ):
        super().__init__(network, cbam_widths, features)
        self.narrow = nn.Identity()
        if features != last:
            self.narrow = nn.Sequential()
            self.narrow.add_module("conv", nn.Conv2d(last, features, 1, bias=False))
            self.narrow.add_module("bn", nn.BatchNorm2d(features, eps=epsilon))
            self.narrow.add_module("act", nn.Hardswish())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last feature map and its mean over the image."""
        network = self.network
        x = network.blocks(network.bn1(network.conv_stem(image)))
        x = self.attend(0, self.narrow(x))
        return x, x.mean((2, 3))
