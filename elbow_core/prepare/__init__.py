"""The command `python -m elbow_core.prepare`: from a source to a manifest and an archive.

`DataConfig` is the schema of its configuration; `prepare` runs it. `scan_inputs` gives the images
that it would start from, and `read_private_paths` the files behind hidden paths.
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
    from elbow_core.prepare.inputs import scan_inputs
    from elbow_core.prepare.pipeline import prepare
    from elbow_core.prepare.private_names import read_private_paths

__all__ = [
    "ClassCounts",
    "CountSplit",
    "DataConfig",
    "FractionSplit",
    "OfficialSplit",
    "prepare",
    "read_private_paths",
    "scan_inputs",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["ClassCounts", "CountSplit", "DataConfig", "FractionSplit", "OfficialSplit"],
        "inputs": ["scan_inputs"],
        "pipeline": ["prepare"],
        "private_names": ["read_private_paths"],
    },
)
