"""Read published weights, by tag or local file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.errors import UserError
from elbow_core.files import sha256_of
from elbow_jax.models import Backbone, Convention, ModelConfig, build_model
from elbow_jax.porting.architectures import (
    ARCHITECTURES,
    convention_of,
    known_name,
    same_tensors,
)
from elbow_jax.porting.checkpoints import (
    PUBLISHED,
    architecture_beside,
    download,
    hub_commit,
    read_tensors,
)
from elbow_jax.porting.layouts import (
    from_facebook,
    from_torchvision,
    has_facebook_names,
    has_torchvision_names,
)
from elbow_jax.porting.ported_files import is_ported, ported_weights
from elbow_jax.porting.weights import Weights


def read_weights(
    source: str, backbone: Backbone | None = None, architecture: str | None = None
) -> Weights:
    """Read the published weights of a network; a tag is downloaded.

    The architecture is the one that the tag, the file's metadata, a config.json beside it or
    `architecture` names; it is not guessed from shapes.

    Args:
        source: a tag of `PUBLISHED`, or a `.safetensors`, `.pth`, `.pt` or `.bin` file in timm's
            layout, in torchvision's, in Facebook's, or written by `write_ported`.
        backbone: the network of the weights; may be left out for a tag or with `architecture`.
        architecture: its name in timm or torchvision, for a file that does not state it.

    Raises:
        UserError: an unknown tag, a backbone or an architecture that is not the file's or that no
            network here computes, a hub that cannot be reached, or a file that cannot be read or is
            not the pinned one.
    """
    asked = known_name(architecture)
    if architecture is not None and asked is None:
        raise UserError(
            f"{architecture}: is not the name of an architecture that is known here: "
            f"{', '.join(ARCHITECTURES)}"
        )
    if asked is not None and backbone is None:
        backbone = ARCHITECTURES[asked].backbone
    found = _published(source, backbone) if source in PUBLISHED else _local(source, backbone)
    content = read_tensors(found.file)
    origin = {"source": source, "revision": found.revision, "sha256": found.sha256}
    if is_ported(content):
        convention = None if asked is None else _convention(source, asked, found.backbone)
        return ported_weights(content, found.backbone, convention, origin)
    stated = {source: found.architecture or known_name(content.architecture)}
    if source not in PUBLISHED:
        stated[f"{found.file.parent / 'config.json'}"] = known_name(architecture_beside(found.file))
    name = _agreed_name(source, stated | {"the option": asked})
    tensors, layout = _to_timm_names(content.tensors, found.backbone)
    convention = layout if name is None else _convention(source, name, found.backbone)
    if layout is not None and convention != layout and found.backbone != "convnext_tiny":
        raise UserError(
            f"{source}: has {layout}'s names of tensors, which {name} has not; one of the two is "
            "wrong"
        )
    origin |= {"network": name or "", "tensors": content.taken}
    return Weights(found.backbone, tensors, layout or convention, origin)


@dataclass(frozen=True)
class _Found:
    """A file of weights on this machine; ``architecture`` is that of a tag."""

    file: Path
    backbone: Backbone
    revision: str
    sha256: str
    architecture: str | None


def _published(tag: str, backbone: Backbone | None) -> _Found:
    expected = PUBLISHED[tag].backbone
    if backbone not in (None, expected):
        raise UserError(f"{tag}: the weights of {expected}, not of {backbone}")
    file, revision = download(tag)
    return _Found(file, expected, revision, sha256_of(file), known_name(tag))


def _local(source: str, backbone: Backbone | None) -> _Found:
    file = Path(source)
    if not file.is_file():
        raise UserError(f"{source}: neither a file nor one of the tags {', '.join(PUBLISHED)}")
    if backbone is None:
        raise UserError(f"{source}: say which network this file is of: --backbone NAME")
    try:
        digest = sha256_of(file)
    except OSError as error:
        raise UserError(f"{source}: cannot be read: {error.strerror}") from error
    return _Found(file, backbone, hub_commit(file, digest), digest, None)


def _agreed_name(source: str, stated: Mapping[str, str | None]) -> str | None:
    """Return the architecture that every place states which states one; None if none does."""
    names = {place: name for place, name in stated.items() if name is not None}
    if len(set(names.values())) > 1:
        said = ", but ".join(f"{place} says {name}" for place, name in names.items())
        raise UserError(f"{source}: is of two networks: {said}")
    return next(iter(names.values()), None)


def _convention(source: str, name: str, backbone: Backbone) -> Convention:
    try:
        return convention_of(name, backbone)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from error


def _to_timm_names(
    tensors: dict[str, np.ndarray], backbone: Backbone
) -> tuple[dict[str, np.ndarray], Convention | None]:
    """Return tensors under timm's names, and the convention if their names alone tell it."""
    if has_torchvision_names(tensors):
        module = build_model(ModelConfig(backbone=backbone))
        return from_torchvision(tensors, module), "torchvision"
    if has_facebook_names(tensors) and backbone == "convnext_tiny":
        return from_facebook(tensors), "timm"
    return tensors, "timm" if len(same_tensors(backbone)) == 1 else None
