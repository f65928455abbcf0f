"""Paths of the project and of the real radiographs beside it, and the names in a folder."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
RADIOGRAPHS = ROOT.parent / "shared" / "data"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
