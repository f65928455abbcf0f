"""Synthetic radiographs: rendered bones, injuries, hardware and soft tissue, as a data set.

`render_radiograph` renders one image; `SyntheticSource` is the source that renders a whole set.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.sources.synthetic.elbow import VIEWS, render_radiograph
    from elbow_core.sources.synthetic.findings import FINDINGS, INJURIES, NORMALS, label_of
    from elbow_core.sources.synthetic.source import SyntheticSource
    from elbow_core.sources.synthetic.trees import (
        write_elbow_tree,
        write_folder_tree,
        write_mura_tree,
    )

__all__ = [
    "FINDINGS",
    "INJURIES",
    "NORMALS",
    "VIEWS",
    "SyntheticSource",
    "label_of",
    "render_radiograph",
    "write_elbow_tree",
    "write_folder_tree",
    "write_mura_tree",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "findings": ["FINDINGS", "INJURIES", "NORMALS", "label_of"],
        "elbow": ["VIEWS", "render_radiograph"],
        "source": ["SyntheticSource"],
        "trees": ["write_elbow_tree", "write_folder_tree", "write_mura_tree"],
    },
)
