"""Images for the input gate: like those of training, of other body parts, and no radiographs."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from elbow_core.dataset import read_manifest
from elbow_core.radiographs import read_radiograph
from elbow_core.sources import FracAtlasSource, scan

COUNT = 100
"""Images of each kind that is drawn or cut."""
SIDE = 300
PHOTOGRAPHS = {
    "skimage": (
        "data",
        ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "motorcycle_left.png"),
    ),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
}
"""By package: a folder and its photographs of people, animals and things."""


def write_kinds(root: Path, prepared: Path, folder: Path) -> dict[str, Path]:
    """Return a list of files for each kind of image, and write those that are made.

    Args:
        root: the download of FracAtlas.
        prepared: its hands, of which those of the test split are used.
        folder: where lists and images are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_manifest(prepared / "manifest.csv")
    test = sorted(root / row.path for row in rows if row.split == "test")
    kinds = {"hands, test split": _list(folder / "hands.txt", test)}
    for part in ("shoulder", "hip", "leg"):
        found = scan(root, FracAtlasSource(parts=(part,)))
        paths = sorted(root / row.path for row in found.rows)
        kinds[part] = _list(folder / f"{part}.txt", paths)
    rng = np.random.default_rng(0)
    made = {
        "hands, inverted": (255 - read_radiograph(path) for path in test),
        "photographs": _photographs(rng),
        "noise": _drawn(lambda: rng.integers(0, 256, (SIDE, SIDE))),
        "nearly blank": _drawn(lambda: rng.integers(0, 256) + rng.normal(0, 1, (SIDE, SIDE))),
        "blank": _drawn(lambda: np.full((SIDE, SIDE), rng.integers(0, 256))),
    }
    for kind, images in made.items():
        name = kind.replace(", ", "_").replace(" ", "_")
        (folder / name).mkdir(exist_ok=True)
        paths = []
        for number, image in enumerate(images):
            path = folder / name / f"{number:03d}.png"
            cv2.imwrite(str(path), image)
            paths.append(path)
        kinds[kind] = _list(folder / f"{name}.txt", paths)
    return kinds


def _list(path: Path, images: list[Path]) -> Path:
    path.write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
    return path


def _drawn(draw: Callable[[], np.ndarray]) -> Iterator[np.ndarray]:
    for _ in range(COUNT):
        yield np.clip(draw(), 0, 255).astype(np.uint8)


def _photographs(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield random squares of photographs, grey, at least half as large as the photograph."""
    photographs = []
    for package, (folder, names) in PHOTOGRAPHS.items():
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(f"{package} is needed for its photographs")
        photographs += [
            read_radiograph(Path(found.origin).parent / folder / name) for name in names
        ]
    for number in range(COUNT):
        photograph = photographs[number % len(photographs)]
        side = int(rng.uniform(0.5, 1.0) * min(photograph.shape))
        top, left = (int(rng.integers(0, length - side + 1)) for length in photograph.shape)
        yield photograph[top : top + side, left : left + side]
