"""The torch twin of a network as an ONNX file, with the model's card inside."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elbow_core.errors import UserError
from elbow_core.files import atomic_file
from elbow_jax.models import ModelConfig
from elbow_jax.porting import twin
from elbow_jax.porting.ensemble_twin import build_ensemble_twin
from elbow_jax.steps import GREY_DEVIATION, GREY_MEAN

_PRODUCER = "elbow-radiographs"
_IR_VERSION = 10  # of the format; every onnxruntime since 1.18 reads it
_OPSET = 18
ONNX_MARK = f"\x08{chr(_IR_VERSION)}\x12{chr(len(_PRODUCER))}{_PRODUCER}"
"""How such a file begins: version and producer of a protocol buffer, `onnx.ModelProto`."""


class Scorer(nn.Module):
    """A twin from grey levels to scores, normalised as the Flax networks are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and scores, float32 `[B]`, of preprocessed images uint8 `[B, S, S]`."""
        grey = image.to(torch.float32)[:, None] / 255.0
        logit, _ = self.network((grey - GREY_MEAN) / GREY_DEVIATION)
        return logit, torch.sigmoid(logit)


def write_onnx(
    path: Path,
    config: ModelConfig,
    state_dict: Mapping[str, np.ndarray],
    size: int,
    metadata: Mapping[str, str],
    members: int | None = None,
) -> None:
    """Write a network as ONNX, completely or not at all.

    The input is ``image``, uint8 ``[batch, S, S]``, in any number; the outputs are ``logit`` and
    ``score``, float32 ``[batch]``.

    Args:
        path: of the file.
        config: of the network.
        state_dict: of its twin (`elbow_jax.porting.released_to_torch`).
        size: of the images in pixels.
        metadata: texts that the file holds as its ``metadata_props``.
        members: of an ensemble, whose twin the tensors are then of; None for one network.

    Raises:
        UserError: if onnx or onnxscript is not installed.
        OSError: if the file cannot be written.

    Reference: https://docs.pytorch.org/docs/stable/onnx_export.html
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch.onnx needs it
    except ModuleNotFoundError as error:
        raise UserError(
            f"ONNX needs {error.name}; pip install 'elbow-radiographs[export]'"
        ) from error
    twin.define_missing_torchvision_operators()
    network: nn.Module = (
        twin.build_twin(config) if members is None else (build_ensemble_twin(config, members))
    )
    network.load_state_dict({key: torch.tensor(value) for key, value in state_dict.items()})
    program = _exported(Scorer(network).eval(), size)
    model: Any = program.model_proto
    model.ir_version, model.producer_name, model.producer_version = _IR_VERSION, _PRODUCER, ""
    _remove_traces(model.graph)
    for function in model.functions:
        _remove_traces(function)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    with atomic_file(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))


def _remove_traces(message: Any) -> None:
    """Remove what torch notes of each operation: its stack, with the paths of this machine."""
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _remove_traces(part)


def _exported(scorer: nn.Module, size: int) -> Any:
    # Two images: torch takes a batch of one for a constant.
    image = torch.zeros((2, size, size), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own modules
        return torch.onnx.export(
            scorer,
            (image,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=["image"],
            output_names=["logit", "score"],
            dynamic_shapes={"image": {0: torch.export.Dim("batch")}},
            verbose=False,
        )
