"""Build the torch twin of a network: the same network in PyTorch, on timm's backbones.

Twins are the reference in parity tests and benchmarks, and load exported models:

    twin = build_twin(config)
    twin.load_state_dict(safetensors.torch.load_file("model.safetensors"))
"""

from functools import partial
from typing import Any

import timm
from timm.models._efficientnet_blocks import SqueezeExcite
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.convnext import ConvNeXt
from timm.models.efficientnet import EfficientNet
from timm.models.mobilenetv3 import MobileNetV3
from torch import nn

from elbow_jax.models import BACKBONES, ModelConfig, build_model
from elbow_jax.porting.twin.modules import (
    ClassifierTwin,
    ConvNeXtTwin,
    EfficientNetV2Twin,
    FusionTwin,
    MobileNetV3Twin,
)

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
"""The small variants in timm's notation, independent of the tables in `models`."""


def build_twin(config: ModelConfig) -> nn.Module:
    """Build the network that `config` names, on the CPU, in float32.

    `twin(image)` returns `(logits [B], endpoints)` as the Flax network does, for images
    `[B, C, H, W]` and with feature maps `[B, F, h, w]`.

    Raises:
        ValueError: a field of `config` has a value that cannot be built; the message names it.
    """
    module: Any = build_model(config)  # checks the configuration and fills in the rates
    if config.backbone == "fusion":
        backbones = {name: _BUILDERS[name](config, getattr(module, name)) for name in BACKBONES}
        return FusionTwin(backbones, module.dropout)
    backbone = _BUILDERS[config.backbone](config, module.backbone)
    return ClassifierTwin(backbone, backbone.features, module.dropout)


def _convnext(config: ModelConfig, module: Any) -> ConvNeXtTwin:
    options: dict[str, Any] = {
        "in_chans": config.in_channels,
        "num_classes": 0,
        "drop_path_rate": module.drop_path,
    }
    if config.variant == "full":
        network: Any = timm.create_model("convnext_tiny", **options)
    else:
        network = ConvNeXt(patch_size=2, depths=(1, 2, 2, 1), dims=(32, 64, 96, 192), **options)
        # timm halves in the first stage too where a stem halves once.
        network.stages[0].downsample = nn.Identity()
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
