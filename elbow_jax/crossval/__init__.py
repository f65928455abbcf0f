"""Cross-validation: `python -m elbow_jax.crossval`.

Offered here: the names of the files in the run's directory, and the ensemble of the folds' networks
as one released model.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_jax.crossval.ensemble import FoldModel, release_ensemble, require_ensemble
    from elbow_jax.crossval.fold_runs import SCORES
    from elbow_jax.crossval.gathering import OUT_OF_FOLD, REPORT

__all__ = [
    "OUT_OF_FOLD",
    "REPORT",
    "SCORES",
    "FoldModel",
    "release_ensemble",
    "require_ensemble",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ensemble": ["FoldModel", "release_ensemble", "require_ensemble"],
        "fold_runs": ["SCORES"],
        "gathering": ["OUT_OF_FOLD", "REPORT"],
    },
)
