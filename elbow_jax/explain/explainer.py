"""Heat maps of batches of images: one compilation, and one batch in flight."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Float64, Int32

from elbow_core.errors import ConfigError, UserError
from elbow_jax import networks
from elbow_jax.explain.feature_maps import feature_layers
from elbow_jax.explain.names import STEPS
from elbow_jax.explain.occlusion import patch_places
from elbow_jax.explain.step import Explanation, make_explain_step
from elbow_jax.runtime import compile_in_thread, make_mesh, replicated_sharding, to_devices
from elbow_jax.scoring import ModelCard, sigmoid


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One image: its position in the batches' order, its score, and its maps, as NumPy arrays."""

    position: int
    score: float
    """P(injury)."""
    maps: dict[str, Float32[np.ndarray, "size size"]]
    """Evidence for injury, never negative, by set: see `elbow_jax.explain.sets_of`."""
    gates: dict[str, Float32[np.ndarray, "_ _"]]
    """CBAM's gates of the pixels, 0..1, by their path in the network."""
    attributed: float
    """The sum of the integrated gradients; 0 without them."""
    difference: float
    """What that sum should be: the logit minus that of a black image."""


class Explainer:
    """Explains batches of preprocessed images with the network of a released model, in float32.

    Args:
        card: of the model.
        variables: of its network; other ones than the model's are a baseline.
        methods: some of `elbow_jax.explain.METHODS`.
        batch_size: images in every batch.
        steps: points of the path of integrated gradients.

    Raises:
        ConfigError: if the network has no feature map, or one of a single pixel.
    """

    def __init__(
        self,
        card: ModelCard,
        variables: Any,
        methods: Sequence[str],
        batch_size: int,
        steps: int = STEPS,
    ) -> None:
        module = networks.build(card.architecture, "float32")
        size = card.preprocessing.size
        image = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
        try:
            layers = feature_layers(module, variables, image)
        except ValueError as error:
            raise ConfigError(f"{card.architecture.backbone}: {error}") from error
        self._mesh = make_mesh(batch_size)
        self._step = compile_in_thread(jax.jit(make_explain_step(module, methods, layers, steps)))
        self._variables = jax.device_put(variables, replicated_sharding(self._mesh))

    def explain(
        self, batches: Iterable[dict[str, np.ndarray]], name_of: Callable[[int], str]
    ) -> Iterator[Explained]:
        """Yield each image of the batches, in their order, without padding.

        The device works on one batch while the caller takes the one before, so that memory does not
        grow with their number.

        Args:
            batches: dicts of ``image`` uint8 [B, S, S, 1] and ``position`` int32 [B], -1 for
                padding.
            name_of: returns the name of the image at a position, for the error.

        Raises:
            UserError: if the network gives nan or an infinite number for an image, naming it.
        """
        pending: tuple[Int32[np.ndarray, " b"], Explanation] | None = None
        for batch in batches:
            placed = to_devices({"image": batch["image"]}, self._mesh)
            started = batch["position"], self._step(self._variables, placed)
            if pending is not None:
                yield from _images(*pending, name_of)
            pending = started
        if pending is not None:
            yield from _images(*pending, name_of)


def describe_method(method: str, size: int, steps: int = STEPS) -> str:
    """Return a method in words, with the settings that matter, for images of this size."""
    if method == "occlusion":
        side, places = patch_places(size)
        return f"occlusion by {len(places)} patches of {side} pixels"
    return {
        "grad_cam": "Grad-CAM, last feature map",
        "hires_cam": "HiResCAM, last feature map",
        "integrated_gradients": f"integrated gradients from black in {steps} steps, positive part",
    }[method]


def _images(
    positions: Int32[np.ndarray, " b"], explanation: Explanation, name_of: Callable[[int], str]
) -> Iterator[Explained]:
    found: Explanation = jax.tree.map(np.asarray, explanation)
    scores: Float64[np.ndarray, " b"] = sigmoid(np.asarray(found.logits))
    for index in np.flatnonzero(positions >= 0).tolist():
        position, logit = int(positions[index]), float(found.logits[index])
        if not np.isfinite(logit):
            raise UserError(
                f"{name_of(position)}: the network gives {logit} and no score; its weights cannot "
                "be used"
            )
        yield Explained(
            position,
            float(scores[index]),
            {name: np.asarray(values[index]) for name, values in found.maps.items()},
            {name: np.asarray(values[index]) for name, values in found.gates.items()},
            float(found.attributed[index]),
            float(found.difference[index]),
        )
