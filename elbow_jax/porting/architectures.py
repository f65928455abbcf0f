"""Names of architectures in timm and torchvision, and what each computes.

Several of them have the same tensors and compute different things: padding and epsilon are not
stored in a file of weights. Only the name of the architecture tells them apart.
"""

from dataclasses import dataclass

from elbow_jax.models import Backbone, Convention


@dataclass(frozen=True)
class Architecture:
    """A published architecture.

    Attributes:
        backbone: the network that it is, or resembles.
        convention: how that network computes it (`ModelConfig.convention`); None if it cannot.
        difference: why it cannot.
        other_tensors: whether the names or shapes of its tensors differ from that network's.
    """

    backbone: Backbone
    convention: Convention | None
    difference: str = ""
    other_tensors: bool = False


ARCHITECTURES = {
    # Facebook's, timm's and torchvision's ConvNeXt compute the same.
    "convnext_tiny": Architecture("convnext_tiny", "timm"),
    "convnext_tiny_hnf": Architecture("convnext_tiny", None, "normalises before pooling", True),
    "convnextv2_tiny": Architecture("convnext_tiny", None, "normalises responses", True),
    "tf_efficientnetv2_s": Architecture("efficientnetv2_s", "timm"),
    "efficientnet_v2_s": Architecture("efficientnetv2_s", "torchvision"),
    "efficientnetv2_s": Architecture(
        "efficientnetv2_s", None, "pads symmetrically with an epsilon of 1e-5"
    ),
    "efficientnetv2_rw_s": Architecture(
        "efficientnetv2_s", None, "has other first and last stages", True
    ),
    "mobilenetv3_large_100": Architecture("mobilenetv3_large", "timm"),
    "mobilenet_v3_large": Architecture("mobilenetv3_large", "torchvision"),
    "tf_mobilenetv3_large_100": Architecture(
        "mobilenetv3_large", None, "pads as TensorFlow does with an epsilon of 1e-3"
    ),
    "mobilenetv3_rw": Architecture("mobilenetv3_large", None, "has other gates", True),
}
"""By name in timm or, with ``v2_s`` and ``v3_large``, in torchvision."""


def known_name(stated: str | None) -> str | None:
    """Return the name in `ARCHITECTURES` that a statement means, or None.

    Owner and tag are left out: ``timm/mobilenetv3_large_100.ra_in1k`` is ``mobilenetv3_large_100``.
    Other names are None: training scripts also store the class of a network, or a name of their
    own, and a network with other tensors is refused for its tensors.
    """
    name = (stated or "").strip().rpartition("/")[2].rpartition(":")[2].partition(".")[0].lower()
    return name if name in ARCHITECTURES else None


def convention_of(name: str, backbone: Backbone) -> Convention:
    """Return the convention of an architecture.

    Args:
        name: a name in `ARCHITECTURES`.
        backbone: the network that the weights shall fill.

    Raises:
        ValueError: it is of another network, or computes what no convention computes.
    """
    architecture = ARCHITECTURES[name]
    if architecture.backbone != backbone:
        raise ValueError(f"the weights of {name}, not of {backbone}")
    if architecture.convention is None:
        usable = [
            other
            for other, found in ARCHITECTURES.items()
            if found.backbone == backbone and found.convention is not None
        ]
        raise ValueError(
            f"the weights of {name}, which {architecture.difference}, as no network here does; "
            f"take those of {' or '.join(usable)}"
        )
    return architecture.convention


def same_tensors(backbone: Backbone) -> list[str]:
    """Return the architectures that a file under timm's names with these tensors can be of."""
    return [
        name
        for name, architecture in ARCHITECTURES.items()
        if architecture.backbone == backbone
        and architecture.convention != "torchvision"
        and not architecture.other_tensors
    ]
