"""Paths of the project and of the real radiographs beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
RADIOGRAPHS = ROOT.parent / "shared" / "data"
