"""Make timm importable where the builds of torch and torchvision do not match.

With a CPU build of torch, a CUDA build of torchvision cannot load its operators and raises on
import. timm imports torchvision but uses none of these operators.
"""

import sys

import torch

_KEPT_ALIVE: list[object] = []  # garbage collection of a library removes its operators


def define_missing_torchvision_operators() -> None:
    """Declare torchvision's operators if it cannot; call it before the first import of timm.

    Raises:
        RuntimeError: if torchvision cannot be imported for another reason.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT_ALIVE.append(library)
