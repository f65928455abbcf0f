"""Readers of data sets, one for each layout: each turns a folder into rows of the manifest.

`scan` reads a folder with any `Source`; `elbow_core.sources.synthetic` renders radiographs.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.sources.elbow import ElbowSource, FindingRule, ViewRule
    from elbow_core.sources.folder import FolderSource
    from elbow_core.sources.fracatlas import FracAtlasSource
    from elbow_core.sources.grazpedwri import GrazPedWriSource
    from elbow_core.sources.listing import list_images
    from elbow_core.sources.mura import MuraSource
    from elbow_core.sources.scan_result import Rejection, ScanResult
    from elbow_core.sources.scanning import Source, scan
    from elbow_core.sources.synthetic import SyntheticSource
    from elbow_core.sources.table.config import TableColumns, TableSource

__all__ = [
    "ElbowSource",
    "FindingRule",
    "FolderSource",
    "FracAtlasSource",
    "GrazPedWriSource",
    "MuraSource",
    "Rejection",
    "ScanResult",
    "Source",
    "SyntheticSource",
    "TableColumns",
    "TableSource",
    "ViewRule",
    "list_images",
    "scan",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submodules=["synthetic"],
    submod_attrs={
        "elbow": ["ElbowSource", "FindingRule", "ViewRule"],
        "folder": ["FolderSource"],
        "fracatlas": ["FracAtlasSource"],
        "grazpedwri": ["GrazPedWriSource"],
        "listing": ["list_images"],
        "mura": ["MuraSource"],
        "scan_result": ["Rejection", "ScanResult"],
        "scanning": ["Source", "scan"],
        "synthetic": ["SyntheticSource"],
        "table": ["TableColumns", "TableSource"],
    },
)
