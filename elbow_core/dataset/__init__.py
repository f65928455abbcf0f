"""Data sets on disk: manifest, splits, identities, near-duplicates, and the archive of images."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.dataset.manifest import SPLITS, ManifestRow, read_manifest, write_manifest
    from elbow_core.dataset.prepared import PreparedData, open_prepared

__all__ = [
    "SPLITS",
    "ManifestRow",
    "PreparedData",
    "open_prepared",
    "read_manifest",
    "write_manifest",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "manifest": ["ManifestRow", "SPLITS", "read_manifest", "write_manifest"],
        "prepared": ["PreparedData", "open_prepared"],
    },
)
