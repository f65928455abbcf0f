"""Heat maps of a network's evidence for injury: Grad-CAM, HiResCAM, occlusion, gradients.

The command is `python -m elbow_jax.explain`; docs/explanation.md describes it.

The methods are pure functions of a network and its variables; `make_explain_step` joins those that
are asked for into one, and `Explainer` compiles it once. `SetsWriter` writes the maps as they come,
in the format that `elbow_core.evaluation.localisation` judges.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.explain.class_activation import enlarge, grad_cam, hires_cam
    from elbow_jax.explain.explainer import Explained, Explainer, describe_method
    from elbow_jax.explain.feature_maps import (
        FeatureMaps,
        feature_layers,
        feature_maps,
        logits_of_backbones,
    )
    from elbow_jax.explain.integrated_gradients import integrated_gradients
    from elbow_jax.explain.methods import sets_of
    from elbow_jax.explain.names import METHODS, STEPS
    from elbow_jax.explain.occlusion import occlusion, patch_places
    from elbow_jax.explain.sources import (
        Originals,
        Source,
        archived_images,
        read_images,
    )
    from elbow_jax.explain.step import make_explain_step
    from elbow_jax.explain.writing import SetsWriter, explained_folder, require_explained_folder

__all__ = [
    "METHODS",
    "STEPS",
    "Explained",
    "Explainer",
    "FeatureMaps",
    "Originals",
    "SetsWriter",
    "Source",
    "archived_images",
    "describe_method",
    "enlarge",
    "explained_folder",
    "feature_layers",
    "feature_maps",
    "grad_cam",
    "hires_cam",
    "integrated_gradients",
    "logits_of_backbones",
    "make_explain_step",
    "occlusion",
    "patch_places",
    "read_images",
    "require_explained_folder",
    "sets_of",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "class_activation": ["enlarge", "grad_cam", "hires_cam"],
        "explainer": ["Explained", "Explainer", "describe_method"],
        "feature_maps": ["FeatureMaps", "feature_layers", "feature_maps", "logits_of_backbones"],
        "integrated_gradients": ["integrated_gradients"],
        "methods": ["sets_of"],
        "names": ["METHODS", "STEPS"],
        "occlusion": ["occlusion", "patch_places"],
        "sources": ["Originals", "Source", "archived_images", "read_images"],
        "step": ["make_explain_step"],
        "writing": ["SetsWriter", "explained_folder", "require_explained_folder"],
    },
)
