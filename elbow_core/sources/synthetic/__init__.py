"""Synthetic radiographs: procedural bones, injuries, metal and soft tissue, as a data set."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.sources.synthetic.injury import FINDINGS, INJURIES, NORMALS
    from elbow_core.sources.synthetic.radiograph import VIEWS, render_radiograph
    from elbow_core.sources.synthetic.trees import label_of, write_elbow_tree, write_mura_tree

__all__ = [
    "FINDINGS",
    "INJURIES",
    "NORMALS",
    "VIEWS",
    "label_of",
    "render_radiograph",
    "write_elbow_tree",
    "write_mura_tree",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "trees": ["label_of", "write_elbow_tree", "write_mura_tree"],
        "radiograph": ["VIEWS", "render_radiograph"],
        "injury": ["FINDINGS", "INJURIES", "NORMALS"],
    },
)
