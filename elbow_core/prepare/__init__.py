"""The command `python -m elbow_core.prepare`: from a source to a manifest and an archive.

`DataConfig` is the schema of its configuration; `prepare` runs it. `scan_inputs` gives the images
that it would start from, and `read_private_paths` the files behind hidden paths.
`CORRECTION_COLUMNS` and `VERDICTS` are the format of a file of corrected labels; `corrected_images`
says which a prepared folder contains.
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
    from elbow_core.prepare.corrections import CORRECTION_COLUMNS, VERDICTS
    from elbow_core.prepare.corrections_record import corrected_images
    from elbow_core.prepare.inputs import scan_inputs
    from elbow_core.prepare.pipeline import prepare
    from elbow_core.prepare.private_names import read_private_paths

__all__ = [
    "CORRECTION_COLUMNS",
    "VERDICTS",
    "ClassCounts",
    "CountSplit",
    "DataConfig",
    "FractionSplit",
    "OfficialSplit",
    "corrected_images",
    "prepare",
    "read_private_paths",
    "scan_inputs",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["ClassCounts", "CountSplit", "DataConfig", "FractionSplit", "OfficialSplit"],
        "inputs": ["scan_inputs"],
        "corrections": ["CORRECTION_COLUMNS", "VERDICTS"],
        "corrections_record": ["corrected_images"],
        "pipeline": ["prepare"],
        "private_names": ["read_private_paths"],
    },
)
