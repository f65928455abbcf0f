"""Radiographs of hands and legs, from tubular bones of many shapes."""

from elbow_core.sources.synthetic.limbs.rendering import PARTS, render_limb

__all__ = ["PARTS", "render_limb"]
