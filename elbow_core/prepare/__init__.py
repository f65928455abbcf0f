"""The command `python -m elbow_core.prepare`: from a source to a manifest and an archive.

`DataConfig` is the schema of its configuration; `prepare` runs it.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.prepare.config import (
        ClassCounts,
        CountSplit,
        DataConfig,
        FractionSplit,
        OfficialSplit,
    )
    from elbow_core.prepare.pipeline import prepare

__all__ = [
    "ClassCounts",
    "CountSplit",
    "DataConfig",
    "FractionSplit",
    "OfficialSplit",
    "prepare",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["ClassCounts", "CountSplit", "DataConfig", "FractionSplit", "OfficialSplit"],
        "pipeline": ["prepare"],
    },
)
