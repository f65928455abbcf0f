"""A released model as one file of StableHLO, which JAX runs without this project.

The file is a zip archive, stored and not compressed:

    elbow-radiographs   empty; the archive begins with it, so that a command knows its own
    model.json          the card: preprocessing, thresholds, label names, digests
    network.jax_export  the network with its weights, as `jax.export` serialises it

The network takes ``uint8 [b, S, S]``, preprocessed images in any number, and returns a dict of
``logit`` and ``score``, float32 [b]. It computes in float32, one image after the other, on a CPU,
on CUDA and on a TPU.

Reference: https://docs.jax.dev/en/latest/export/export.html
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array, Float32, UInt8

from elbow_core.files import atomic_file
from elbow_jax.scoring.card import card_text
from elbow_jax.scoring.predictor import make_scoring_step
from elbow_jax.scoring.released import ReleasedModel

PLATFORMS = ("cpu", "cuda", "tpu")

_NO_TRACES: dict[str, Any] = {
    "jax_traceback_in_locations_limit": 0,
    "jax_hlo_source_file_canonicalization_regex": ".*",
}
_OWN, _CARD, _NETWORK = "elbow-radiographs", "model.json", "network.jax_export"


def write_stablehlo(path: Path, released: ReleasedModel) -> None:
    """Write a model as StableHLO, completely or not at all.

    Raises:
        UserError: as `elbow_core.files.atomic_file` does.
        OSError: if the file cannot be written.
    """
    network = bytes(serialised_network(released))
    with atomic_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        archive.writestr(_entry(_OWN), b"")
        archive.writestr(_entry(_CARD), card_text(released.card))
        archive.writestr(_entry(_NETWORK), network)


def stablehlo_mark() -> str:
    """Return how such a file begins, for `elbow_core.files.require_output_file`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(_entry(_OWN), b"")
    return content.getvalue().partition(_OWN.encode())[0].decode("ascii") + _OWN


def serialised_network(released: ReleasedModel) -> bytearray:
    """Return the network and its weights, lowered for `PLATFORMS` and any number of images."""
    card = released.card
    scoring_step = make_scoring_step(card, "float32")
    variables = jax.tree.map(jnp.asarray, released.variables)

    def logit_of(image: UInt8[Array, "s s"]) -> Float32[Array, ""]:
        return scoring_step(variables, {"image": image[None, ..., None]})[0]

    # One image after the other: the forms for a CPU choose the parts of a product by its shape, so
    # they cannot be traced with an unknown number of images.
    def score(image: UInt8[Array, "b s s"]) -> dict[str, Float32[Array, " b"]]:
        logit = jax.lax.map(logit_of, image)
        return {"logit": logit, "score": jax.nn.sigmoid(logit)}

    (images,) = export.symbolic_shape("b")
    size = card.preprocessing.size
    image = jax.ShapeDtypeStruct((images, size, size), jnp.uint8)
    with _without_traces():
        return export.export(jax.jit(score), platforms=PLATFORMS)(image).serialize()


@contextmanager
def _without_traces() -> Iterator[None]:
    """Leave out what JAX notes of each operation: its stack, with the paths of this machine."""
    former = {name: jax.config.values[name] for name in _NO_TRACES if name in jax.config.values}
    try:
        for name in former:
            jax.config.update(name, _NO_TRACES[name])
        yield
    finally:
        for name, value in former.items():
            jax.config.update(name, value)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry without a time, so that the archive depends on its content alone."""
    return zipfile.ZipInfo(name)
