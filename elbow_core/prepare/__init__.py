"""The command `python -m elbow_core.prepare`: a source becomes a manifest and an archive."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.prepare.config import DataConfig
    from elbow_core.prepare.pipeline import prepare

__all__ = ["DataConfig", "prepare"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["DataConfig"],
        "pipeline": ["prepare"],
    },
)
