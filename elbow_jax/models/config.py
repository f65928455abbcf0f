"""The choice of a network."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Backbone = Literal["convnext_tiny", "efficientnetv2_s", "mobilenetv3_large", "fusion"]
BACKBONES = ("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large")

Variant = Literal["full", "small"]
Convention = Literal["timm", "torchvision"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A network by name.

    Attributes:
        backbone: one of the three networks, or `fusion` of all three.
        variant: `full` as published; `small` is the same code with fewer and narrower stages.
        convention: the library whose padding and epsilon the network follows. It goes with the
            weights that it starts from; the two differ in EfficientNetV2 and in MobileNetV3.
        cbam: whether attention follows the stages that the paper names.
        features: width of the pooled vector (of each backbone, for `fusion`). None takes the
            paper's 768 for `full` and the variant's own for `small`.
        in_channels: 1 for radiographs; 3 for weights as published.
        dropout: rate before the last layer. None takes 0.3 for `fusion` and the published
            network's rate otherwise.
        drop_path: largest rate of stochastic depth, reached in the last block. None takes the
            published network's.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}

    backbone: Backbone
    variant: Variant = "full"
    convention: Convention = "timm"
    cbam: bool = True
    features: int | None = None
    in_channels: int = 1
    dropout: float | None = None
    drop_path: float | None = None
