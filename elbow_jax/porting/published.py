"""Published weights: from a tag of the hub or a local file to the variables of a network."""

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from elbow_core.errors import UserError
from elbow_jax import porting
from elbow_jax.models import ModelConfig, build_model, efficientnetv2, mobilenetv3
from elbow_jax.models.config import Backbone, Convention

PORTED = "elbow_jax.network"  # in a file's metadata: the plain network whose variables it holds


@dataclass(frozen=True)
class Published:
    """A tag of the hub that fits one of the networks.

    Attributes:
        backbone: the network.
        revision: the commit that is downloaded; None where `main` is looked up and recorded.
        sha256: of its `model.safetensors`; None where it is only recorded.
    """

    backbone: Backbone
    revision: str | None
    sha256: str | None


PUBLISHED = {
    "timm/convnext_tiny.fb_in1k": Published(
        "convnext_tiny",
        "b43a6303c9fcf176d2d707478a128c2c91e93528",
        "08b9dc9c3a3a29421de7996761e176501896d1ae7fc3085cf56a643772329276",
    ),
    "timm/tf_efficientnetv2_s.in1k": Published("efficientnetv2_s", None, None),
    "timm/mobilenetv3_large_100.ra_in1k": Published(
        "mobilenetv3_large",
        "96f46a1c52932f27492dff66c72378eb99b443a7",
        "f425af34cc1cead2b5d6211f789a1f30b94835dc32f9c0fcc5a916e4fd2dde85",
    ),
}


@dataclass(frozen=True)
class Weights:
    """A state dict under timm's names, and where it came from.

    Attributes:
        backbone: the network that they are for.
        tensors: by timm's names.
        convention: the library by which the network was trained; see `ModelConfig.convention`.
        origin: `source`, `revision` (empty for a file) and `sha256` of the file that was read.
    """

    backbone: Backbone
    tensors: dict[str, np.ndarray]
    convention: Convention
    origin: dict[str, str]


def read_weights(source: str, backbone: Backbone | None = None) -> Weights:
    """Read the published weights of a network, downloading them where `source` is a tag.

    Args:
        source: a tag of `PUBLISHED`, or a `.safetensors`, `.pth`, `.pt` or `.bin` file in timm's
            layout, in torchvision's, or as `write_ported` writes it.
        backbone: the network that they are for; a tag knows its own.

    Raises:
        UserError: an unknown tag, a network that is not the tag's, a hub that cannot be reached, or
            a file that cannot be read or is not the pinned one.
    """
    if source in PUBLISHED:
        published = PUBLISHED[source]
        if backbone not in (None, published.backbone):
            raise UserError(f"{source}: the weights of {published.backbone}, not of {backbone}")
        backbone = published.backbone
        file, revision = _download(source, published.revision)
        digest = _sha256(file)
        if published.sha256 not in (None, digest):
            raise UserError(
                f"{source}: {file} is damaged or not the pinned file (its SHA-256 is {digest}, "
                f"not {published.sha256}); delete it and try again"
            )
    else:
        file, revision = Path(source), ""
        if not file.is_file():
            known = ", ".join(PUBLISHED)
            raise UserError(f"{source}: neither a file nor one of the tags {known}")
        if backbone is None:
            raise UserError(f"{source}: say which network this file is of: --backbone NAME")
        digest = _sha256(file)
    origin = {"source": source, "revision": revision, "sha256": digest}
    tensors, metadata = _read(file)
    if PORTED in metadata:
        config = ModelConfig(**json.loads(metadata[PORTED]))
        if config.backbone != backbone:
            raise UserError(f"{source}: the weights of {config.backbone}, not of {backbone}")
        network = porting.to_torch(unflatten_dict(tensors, sep="/"), build_model(config))
        start = "backbone.network."
        tensors = {k.removeprefix(start): v for k, v in network.items() if k.startswith(start)}
        return Weights(backbone, tensors, config.convention, origin)
    if "features.0.0.weight" in tensors:
        module = build_model(ModelConfig(backbone=backbone))
        tensors = porting.from_torchvision(tensors, module)
        return Weights(backbone, tensors, "torchvision", origin)
    return Weights(backbone, tensors, "timm", origin)


def start_from_weights(
    weights: Weights, config: ModelConfig, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables of a single network with its backbone from published weights.

    Args:
        weights: of the same architecture.
        config: the network.
        variables: its initial variables; what no checkpoint holds keeps its values.

    Raises:
        UserError: naming what does not fit.
    """
    source = weights.origin["source"]
    if weights.convention != config.convention and config.backbone != "convnext_tiny":
        raise UserError(
            f"{source}: weights from {weights.convention}, whose padding or epsilon differs; set "
            f"model.convention: {weights.convention}"
        )
    try:
        return porting.port_backbone(weights.tensors, build_model(config), variables)
    except ValueError as error:
        raise UserError(f"{source}: does not fit {config.backbone}: {error}") from error


def plain_network(backbone: Backbone, convention: Convention, in_channels: int) -> ModelConfig:
    """The network as published: no CBAM, its native width, so that a checkpoint fills it whole."""
    widths = {"efficientnetv2_s": efficientnetv2.NATIVE_FEATURES}
    widths["mobilenetv3_large"] = mobilenetv3.VARIANTS["full"].last
    return ModelConfig(
        backbone=backbone,
        convention=convention,
        cbam=False,
        features=widths.get(backbone),
        in_channels=in_channels,
    )


def write_ported(
    path: Path, variables: Mapping[str, Any], config: ModelConfig, origin: Mapping[str, str]
) -> None:
    """Write a ported backbone, `params/backbone/...`, whole or not at all.

    Args:
        path: a `.safetensors` file; its directory is made where it is missing.
        variables: of the plain network; the head is left out, for it has not been trained.
        config: the plain network.
        origin: where the weights came from; kept in the file's metadata.
    """
    flat: dict[str, Any] = flatten_dict(dict(variables), sep="/")
    kept = {key: np.ascontiguousarray(value) for key, value in flat.items() if "/head/" not in key}
    write_tensors(path, kept, {PORTED: json.dumps(asdict(config)), **origin})


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a `.safetensors` file aside and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.making")
    save_file(dict(tensors), making, metadata=metadata)
    making.replace(path)


def _read(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors by name, and the metadata that only `.safetensors` has."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy") as opened:
                return {key: opened.get_tensor(key) for key in opened.keys()}, (  # noqa: SIM118
                    opened.metadata() or {}
                )
        return _read_torch(file), {}
    except (SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file}: not a file of weights ({reason})") from error


def _read_torch(file: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise UserError(
            f"{file}: only torch reads this format; install it, or give a .safetensors file"
        ) from error
    content = torch.load(file, map_location="cpu", weights_only=True)
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise UserError(f"{file}: holds no state dict (a table of tensors by name)")
    return {key: value.float().numpy() for key, value in content.items()}


def _download(tag: str, revision: str | None) -> tuple[Path, str]:
    """The file of a tag in the hub's cache and the commit that it is from."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    huggingface_hub.logging.set_verbosity_error()  # its retries are told by the one line below
    try:
        file = Path(huggingface_hub.hf_hub_download(tag, "model.safetensors", revision=revision))
    except (HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{tag}: cannot be downloaded ({type(error).__name__}); fetch model.safetensors of "
            "that model where there is a network, and give the file: --source FILE --backbone NAME"
        ) from error
    return file, revision or file.parent.name


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
