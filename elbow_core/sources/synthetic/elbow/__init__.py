"""Radiographs of an elbow, a forearm or an upper arm: anatomy, injuries, metal, soft tissue."""

from elbow_core.sources.synthetic.elbow.anatomy import Anatomy, sample_anatomy
from elbow_core.sources.synthetic.elbow.radiograph import VIEWS, render_radiograph

__all__ = ["VIEWS", "Anatomy", "render_radiograph", "sample_anatomy"]
