"""Published weights on the Hugging Face hub: their tags, pinned revisions and download."""

from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import HubError, UserError
from elbow_core.files import sha256_of
from elbow_jax.models import Backbone


@dataclass(frozen=True)
class Published:
    """A tag of the hub that fits one of the networks.

    Attributes:
        backbone: the network.
        revision: the commit to download; None resolves `main` and records its commit.
        sha256: of its `model.safetensors`; None only records it.
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


def download(tag: str) -> tuple[Path, str]:
    """Return the file of a tag of `PUBLISHED` in the hub's cache, and its commit.

    Raises:
        HubError: if the hub cannot be reached.
        UserError: if the file is not the pinned one.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    published = PUBLISHED[tag]
    huggingface_hub.logging.set_verbosity_error()  # the error below replaces its retry messages
    try:
        file = Path(
            huggingface_hub.hf_hub_download(tag, "model.safetensors", revision=published.revision)
        )
    except (HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        raise HubError(
            f"{tag}: cannot be downloaded ({type(error).__name__}); download model.safetensors of "
            "that model on a machine with network access, and give the file: --source FILE "
            "--backbone NAME"
        ) from error
    digest = sha256_of(file)
    if published.sha256 not in (None, digest):
        raise UserError(
            f"{tag}: {file} is damaged or not the pinned file (its SHA-256 is {digest}, not "
            f"{published.sha256}); delete it and try again"
        )
    return file, published.revision or file.parent.name
