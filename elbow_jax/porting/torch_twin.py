"""The same networks in PyTorch, built on timm's backbones.

They are the oracle of the parity tests, the opponent in the benchmark, and what a PyTorch user
loads an exported model into:

    twin = build_twin(config)
    twin.load_state_dict(safetensors.torch.load_file("model.safetensors"))

Layout is torch's: images are `[B, C, H, W]`, normalised as for the Flax networks.
"""

from functools import partial
from typing import Any

import timm
import torch
from timm.layers.cbam import CbamModule
from timm.models._efficientnet_blocks import SqueezeExcite
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import EfficientNet
from timm.models.mobilenetv3 import MobileNetV3
from torch import Tensor, nn

from elbow_jax.models import BACKBONES, ModelConfig, build_model

SMALL_EFFICIENTNETV2 = [
    ["cn_r1_k3_s1_e1_c16_skip"],
    ["er_r1_k3_s2_e3_c24"],
    ["er_r2_k3_s2_e3_c48"],
    ["ir_r3_k3_s2_e3_c64_se0.25"],
]
SMALL_MOBILENETV3 = [
    ["ds_r1_k3_s1_e1_c16_nre"],
    ["ir_r1_k3_s2_e3_c24_nre"],
    ["ir_r1_k5_s2_e3_c40_se0.25_nre", "ir_r1_k5_s1_e3_c40_se0.25_nre"],
    ["ir_r1_k3_s2_e4_c64_se0.25", "ir_r1_k3_s1_e3_c64_se0.25"],
    ["cn_r1_k1_s1_c256"],
]
"""timm's own notation for the small variants; a second source beside the tables in `models`."""


def build_twin(config: ModelConfig) -> nn.Module:
    """Build the network that `config` names, on the CPU, in float32.

    `twin(image)` gives `(logits [B], taps)`, as the Flax network does, with maps `[B, F, h, w]`.

    Raises:
        ValueError: a field of `config` has a value that cannot be built; the message names it.
    """
    module: Any = build_model(config)  # one place decides what can be built and fills in the rates
    if config.backbone == "fusion":
        backbones = {name: _BUILDERS[name](config, getattr(module, name)) for name in BACKBONES}
        return FusionTwin(backbones, module.dropout)
    backbone = _BUILDERS[config.backbone](config, module.backbone)
    return ClassifierTwin(backbone, backbone.features, module.dropout)


class ClassifierTwin(nn.Module):
    """Dropout and one linear layer on the vector of one backbone."""

    def __init__(self, backbone: nn.Module, features: int, dropout: float):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits `[B]`, and taps: `feature_map` before pooling and `features` after it."""
        feature_map, features = self.backbone(image)
        logits = self.head(self.dropout(features))[:, 0]
        return logits, {"feature_map": feature_map, "features": features}


class FusionTwin(nn.Module):
    """Concatenate the vectors of three backbones, normalise, drop out, two linear layers."""

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
        """Logits `[B]`, and taps: the joined `features`, and each backbone's own under its name."""
        taps: dict = {}
        for name in BACKBONES:
            feature_map, features = getattr(self, name)(image)
            taps[name] = {"feature_map": feature_map, "features": features}
        taps["features"] = torch.cat([taps[name]["features"] for name in BACKBONES], dim=1)
        x = self.head["dropout"](self.head["norm"](taps["features"]))
        return self.head["logit"](torch.relu(self.head["hidden"](x)))[:, 0], taps


class BackboneTwin(nn.Module):
    """A timm network without its classifier, and the report's additions to it."""

    def __init__(self, network: Any, cbam_widths: list[int], features: int):
        super().__init__()
        self.network: Any = network
        self.cbam = nn.ModuleList(CbamModule(width) for width in cbam_widths)
        self.features = features

    def attend(self, number: int, x: Tensor) -> Tensor:
        """Apply the attention of that number, where there is any."""
        return self.cbam[number](x) if self.cbam else x


class ConvNeXtTwin(BackboneTwin):
    """CBAM after each of the four stages."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The last feature map, and its normalised mean over the image."""
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
        """The last feature map and its mean over the image."""
        network = self.network
        x = network.bn1(network.conv_stem(image))
        for number, stage in enumerate(network.blocks):
            x = stage(self.attend(0, x) if number == self.fused else x)
        x = self.attend(1, network.bn2(network.conv_head(x)))
        return x, x.mean((2, 3))


class MobileNetV3Twin(BackboneTwin):
    """One more convolution after the last, then CBAM."""

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
        """The last feature map and its mean over the image."""
        network = self.network
        x = network.blocks(network.bn1(network.conv_stem(image)))
        x = self.attend(0, self.narrow(x))
        return x, x.mean((2, 3))


def _convnext(config: ModelConfig, module: Any) -> ConvNeXtTwin:
    options: dict[str, Any] = {
        "in_chans": config.in_channels,
        "num_classes": 0,
        "drop_path_rate": module.drop_path,
    }
    if config.variant == "full":
        network: Any = timm.create_model("convnext_tiny", **options)
    else:
        network = ConvNeXt(depths=(1, 2, 2, 1), dims=(32, 64, 96, 192), **options)
    widths = [stage.blocks[-1].conv_dw.out_channels for stage in network.stages]
    return ConvNeXtTwin(network, widths if config.cbam else [], widths[-1])


def _efficientnetv2(config: ModelConfig, module: Any) -> EfficientNetV2Twin:
    options: dict[str, Any] = {
        "in_chans": config.in_channels,
        "num_classes": 0,
        "drop_path_rate": module.drop_path,
    }
    padding = "same" if config.convention == "timm" else ""
    if config.variant == "full":
        network: Any = timm.create_model(
            "tf_efficientnetv2_s", pad_type=padding, bn_eps=1e-3, **options
        )
    else:
        network = EfficientNet(
            decode_arch_def(SMALL_EFFICIENTNETV2),
            stem_size=16,
            pad_type=padding,
            act_layer=nn.SiLU,
            norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
            round_chs_fn=round_channels,
            **options,
        )
    norm_act = type(network.bn2)
    network.conv_head = nn.Conv2d(network.conv_head.in_channels, module.features, 1, bias=False)
    network.bn2 = norm_act(module.features, eps=1e-3, act_layer=nn.SiLU)
    fused = 3
    widths = [network.blocks[fused - 1][-1].conv_pwl.out_channels, module.features]
    return EfficientNetV2Twin(network, widths if config.cbam else [], module.features, fused)


def _mobilenetv3(config: ModelConfig, module: Any) -> MobileNetV3Twin:
    options: dict[str, Any] = {
        "in_chans": config.in_channels,
        "num_classes": 0,
        "drop_path_rate": module.drop_path,
    }
    if config.variant == "full":
        network: Any = timm.create_model("mobilenetv3_large_100", bn_eps=module.epsilon, **options)
    else:
        network = MobileNetV3(
            decode_arch_def(SMALL_MOBILENETV3),
            act_layer=nn.Hardswish,
            norm_layer=partial(nn.BatchNorm2d, eps=module.epsilon),
            se_layer=_squeeze_excite,
            round_chs_fn=round_channels,
            **options,
        )
    network.conv_head = nn.Identity()
    last = network.blocks[-1][-1].conv.out_channels
    widths = [module.features] if config.cbam else []
    return MobileNetV3Twin(network, widths, module.features, last, module.epsilon)


def _squeeze_excite(channels: int, **options) -> SqueezeExcite:
    options |= {"gate_layer": nn.Hardsigmoid, "force_act_layer": nn.ReLU}
    return SqueezeExcite(channels, rd_ratio=0.25, rd_round_fn=round_channels, **options)


_BUILDERS = {
    "convnext_tiny": _convnext,
    "efficientnetv2_s": _efficientnetv2,
    "mobilenetv3_large": _mobilenetv3,
}
