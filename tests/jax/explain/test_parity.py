"""Grad-CAM and HiResCAM against pytorch-grad-cam on the torch twin with the same weights."""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from elbow_jax import explain, porting
from elbow_jax.models import BACKBONES, Backbone, ModelConfig
from tests.support import tolerances
from tests.support.random_networks import (
    ported,
    random_images,
    random_twin,
    relative_error,
    to_nchw,
)

SIZE = 64
METHODS = {"grad_cam": explain.grad_cam, "hires_cam": explain.hires_cam}
EARLIER = {
    "convnext_tiny": (("backbone", "cbam2"), lambda backbone: backbone.cbam[2]),
    "efficientnetv2_s": (("backbone", "cbam0"), lambda backbone: backbone.cbam[0]),
    "mobilenetv3_large": (("backbone", "narrow"), lambda backbone: backbone.narrow),
}
"""A layer of each network at which the gradient is not one for all pixels; in Flax and in torch."""

Maps = dict[str, dict[str, np.ndarray]]
"""Before ReLU, by method and layer."""


@dataclass(frozen=True)
class Case:
    """A twin, its layers in the order in which it runs them, images, and the maps in JAX."""

    twin: nn.Module
    layers: dict[str, nn.Module]
    image: np.ndarray
    maps: Maps
    scales: dict[str, float]
    """The largest sum of the magnitudes of a pixel's terms, by layer: in ConvNeXt they cancel."""


@cache
def case(backbone: Backbone) -> Case:
    config = ModelConfig(backbone=backbone, variant="small")
    twin: Any = random_twin(config)
    module, variables = ported(config, twin)
    image = random_images(2, SIZE, SIZE)
    layers = explain.feature_layers(module, variables, image)
    if backbone == "fusion":
        assert list(layers) == list(BACKBONES)
        of_twin = {name: getattr(twin, name).cbam[-1] for name in BACKBONES}
    else:
        earlier, of_backbone = EARLIER[backbone]
        layers = {"earlier": earlier, "last": layers["backbone"]}
        of_twin = {"earlier": of_backbone(twin.backbone), "last": twin.backbone.cbam[-1]}
    found = jax.jit(partial(explain.feature_maps, module, layers=layers))(variables, image)
    with torch.no_grad():
        assert relative_error(found.logits, twin(to_nchw(image))[0]) < tolerances.NETWORK
    maps = {
        method: {name: np.asarray(cam(found.maps[name], found.gradients[name])) for name in layers}
        for method, cam in METHODS.items()
    }
    scales = {
        name: float(jnp.abs(found.maps[name] * found.gradients[name]).sum(axis=-1).max())
        for name in layers
    }
    return Case(twin, of_twin, image, maps, scales)


class Logits(nn.Module):
    """A twin that returns its logits alone, one column, as pytorch-grad-cam's models do."""

    def __init__(self, twin: nn.Module):
        super().__init__()
        self.twin = twin

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.twin(image)[0][:, None]


def maps_of_library(given: Case, library: Any) -> Maps:
    found: Maps = {}
    for method, kind in (("grad_cam", library.GradCAM), ("hires_cam", library.HiResCAM)):
        cam = kind(model=Logits(given.twin), target_layers=list(given.layers.values()))
        cam(to_nchw(given.image), targets=[lambda output: output[0]] * len(given.image))
        recorded = cam.activations_and_grads
        found[method] = {}
        for name, *arrays in zip(
            given.layers, recorded.activations, recorded.gradients, strict=True
        ):
            parts = (array.detach().numpy() for array in arrays)
            found[method][name] = cam.get_cam_image(None, None, None, *parts, False)
        recorded.release()
    return found


def maps_of_formulas(given: Case) -> Maps:
    """The papers' formulas on torch's own gradients."""
    kept: dict[str, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: kept.update({name: output}))
        for name, layer in given.layers.items()
    ]
    logits, _ = given.twin(to_nchw(given.image))
    gradients = torch.autograd.grad(logits.sum(), list(kept.values()))
    for hook in hooks:
        hook.remove()
    found: Maps = {method: {} for method in METHODS}
    for (name, values), gradient in zip(kept.items(), gradients, strict=True):
        weights = gradient.mean((2, 3), keepdim=True)
        found["grad_cam"][name] = (weights * values).sum(1).detach().numpy()
        found["hires_cam"][name] = (gradient * values).sum(1).detach().numpy()
    return found


def assert_equal(given: Case, expected: Maps) -> None:
    for method in METHODS:
        assert given.maps[method].keys() == expected[method].keys()
        for name, values in given.maps[method].items():
            error = np.abs(values - expected[method][name]).max()
            assert error < tolerances.NETWORK * given.scales[name], (method, name)


@pytest.mark.parametrize("backbone", get_args(Backbone))
def test_maps_are_those_of_the_papers_formulas_in_torch(backbone):
    given = case(backbone)
    assert_equal(given, maps_of_formulas(given))
    if "earlier" in given.layers:
        pair = (maps["earlier"] for maps in given.maps.values())
        assert relative_error(*pair) > 0.01  # the two methods differ there


@pytest.mark.parametrize("backbone", get_args(Backbone))
def test_maps_are_those_of_pytorch_grad_cam(backbone):
    porting.define_missing_torchvision_operators()
    library = pytest.importorskip("pytorch_grad_cam", reason="`make test` installs it")
    given = case(backbone)
    assert_equal(given, maps_of_library(given, library))
