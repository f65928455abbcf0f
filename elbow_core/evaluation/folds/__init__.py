"""The folds of a cross-validation: `python -m elbow_core.evaluation.folds` compares two recipes.

Offered here: the metrics of each fold with their file, folds.csv, and `compare_folds`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.folds.comparison import compare_folds
    from elbow_core.evaluation.folds.metrics import (
        FOLDS_FILE,
        Fold,
        measure_fold,
        read_folds,
        require_folds_file,
        spread,
        write_folds,
    )

__all__ = [
    "FOLDS_FILE",
    "Fold",
    "compare_folds",
    "measure_fold",
    "read_folds",
    "require_folds_file",
    "spread",
    "write_folds",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison": ["compare_folds"],
        "metrics": [
            "FOLDS_FILE",
            "Fold",
            "measure_fold",
            "read_folds",
            "require_folds_file",
            "spread",
            "write_folds",
        ],
    },
)
