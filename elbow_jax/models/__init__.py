"""The convolutional networks, readable with Flax alone: pure functions of `(variables, image)`.

`build_model(ModelConfig(...))` gives a module; one file holds one network. `fuse_variables` starts
the fusion network from three trained ones.
"""

from typing import TYPE_CHECKING, Any

from elbow_jax.models.config import BACKBONES, Backbone, Convention, ModelConfig

if TYPE_CHECKING:
    from elbow_jax.models.build import build_model
    from elbow_jax.models.fusion import fuse_variables

__all__ = ["BACKBONES", "Backbone", "Convention", "ModelConfig", "build_model", "fuse_variables"]


def __getattr__(name: str) -> Any:
    # A configuration needs ModelConfig alone, and not the seconds that Flax takes to import.
    if name == "build_model":
        from elbow_jax.models.build import build_model

        return build_model
    if name == "fuse_variables":
        from elbow_jax.models.fusion import fuse_variables

        return fuse_variables
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
