"""Grad-CAM and HiResCAM against pytorch-grad-cam on the torch twin with the same weights."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
import torch
from torch import nn

from elbow_jax import explanation, porting
from elbow_jax.models import BACKBONES, ModelConfig
from tests.support import tolerances
from tests.support.random_networks import (
    ported,
    random_images,
    random_twin,
    relative_error,
    to_nchw,
)

SIZE = 64
EARLIER = {
    "convnext_tiny": (("backbone", "cbam2"), lambda twin: twin.backbone.cbam[2]),
    "efficientnetv2_s": (("backbone", "cbam0"), lambda twin: twin.backbone.cbam[0]),
    "mobilenetv3_large": (("backbone", "narrow"), lambda twin: twin.backbone.narrow),
    # Only its last maps.
}
LAST = ("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large")


class Logits(nn.Module):
    """A twin that returns its logits alone, one column, as pytorch-grad-cam's models do."""

    def __init__(self, twin: nn.Module):
        super().__init__()
        self.twin = twin

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.twin(image)[0][:, None]


def library_maps(
    twin: nn.Module, layers: dict[str, nn.Module], image: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Maps before ReLU and scaling of pytorch-grad-cam, by method and layer."""
    porting.define_missing_torchvision_operators()
    library: Any = pytest.importorskip(
        "pytorch_grad_cam", reason="pytorch-grad-cam is installed by `make test` alone"
    )
    found: dict[str, dict[str, np.ndarray]] = {}
    for method, kind in (("grad_cam", library.GradCAM), ("hires_cam", library.HiResCAM)):
        cam = kind(model=Logits(twin), target_layers=list(layers.values()))
        cam(to_nchw(image), targets=[lambda output: output[0]] * len(image))
        recorded = cam.activations_and_grads
        maps = {}
        for name, activations, gradients in zip(
            layers, recorded.activations, recorded.gradients, strict=True
        ):
            arrays = (part.detach().numpy() for part in (activations, gradients))
            maps[name] = cam.get_cam_image(None, None, None, *arrays, False)
        recorded.release()
        found[method] = maps
    return found


def hook_maps(
    twin: nn.Module, layers: dict[str, nn.Module], image: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """The same, by the papers' formulas on torch's own gradients."""
    kept: dict[str, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: kept.update({name: output}))
        for name, layer in layers.items()
    ]
    logits, _ = twin(to_nchw(image))
    gradients = torch.autograd.grad(logits.sum(), list(kept.values()))
    for hook in hooks:
        hook.remove()
    found: dict[str, dict[str, np.ndarray]] = {"grad_cam": {}, "hires_cam": {}}
    for (name, values), gradient in zip(kept.items(), gradients, strict=True):
        weights = gradient.mean((2, 3), keepdim=True)
        found["grad_cam"][name] = (weights * values).sum(1).detach().numpy()
        found["hires_cam"][name] = (gradient * values).sum(1).detach().numpy()
    return found


def assert_equal_maps(
    config: ModelConfig,
    layers: dict[str, tuple[str, ...]],
    of_twin: dict[str, nn.Module],
    twin: Any,
) -> None:
    module, variables = ported(config, twin)
    image = random_images(2, SIZE, SIZE)
    compute = jax.jit(partial(explanation.feature_maps, module, layers=layers))
    found = compute(variables, image)
    references = [library_maps(twin, of_twin, image), hook_maps(twin, of_twin, image)]
    for name in layers:
        for method, function in (
            ("grad_cam", explanation.grad_cam),
            ("hires_cam", explanation.hires_cam),
        ):
            maps = np.asarray(function(found.maps[name], found.gradients[name]))
            for reference in references:
                assert relative_error(maps, reference[method][name]) < tolerances.NETWORK
    with torch.no_grad():
        assert relative_error(found.logits, twin(to_nchw(image))[0]) < tolerances.NETWORK


@pytest.mark.parametrize("backbone", LAST)
def test_maps_of_the_last_and_an_earlier_layer_equal_pytorch_grad_cams(backbone):
    config = ModelConfig(backbone=backbone, variant="small")
    twin: Any = random_twin(config)
    module, variables = ported(config, twin)
    last = explanation.feature_layers(module, variables, random_images(1, SIZE, SIZE))
    earlier, of_twin = EARLIER[backbone]
    layers = {"last": last["backbone"], "earlier": earlier}
    assert_equal_maps(
        config, layers, {"last": twin.backbone.cbam[-1], "earlier": of_twin(twin)}, twin
    )


def test_maps_of_the_fusions_backbones_equal_pytorch_grad_cams():
    config = ModelConfig(backbone="fusion", variant="small")
    twin: Any = random_twin(config)
    module, variables = ported(config, twin)
    layers = explanation.feature_layers(module, variables, random_images(1, SIZE, SIZE))
    assert list(layers) == list(BACKBONES)
    of_twin = {name: getattr(twin, name).cbam[-1] for name in BACKBONES}
    assert_equal_maps(config, layers, of_twin, twin)
