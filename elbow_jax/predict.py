"""Score new radiographs: ``python -m elbow_jax.predict --model DIR IMAGE... [--out FILE.csv]``."""

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from elbow_core import cli
from elbow_core.errors import ConfigError, RadiographError
from elbow_core.files import atomic_file
from elbow_core.radiographs import (
    IMAGE_SUFFIXES,
    Preprocessing,
    list_image_files,
    preprocess,
    read_radiograph,
)
from elbow_jax import runtime, scoring


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Return the given files, and the image files in each given folder, sorted.

    Raises:
        ConfigError: if a path does not exist, or a folder holds no image file.
    """
    found = []
    for path in paths:
        if path.is_dir():
            images = list_image_files(path)
            if not images:
                suffixes = ", ".join(IMAGE_SUFFIXES)
                raise ConfigError(f"{path}: holds no file that ends in {suffixes}, and no DICOM")
            found += images
        elif path.exists():
            found.append(path)
        else:
            raise ConfigError(f"{path}: no such file or folder")
    return found


def read_batches(
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    batch_size: int,
    rejected: list[RadiographError],
) -> Iterator[dict[str, np.ndarray]]:
    """Read and preprocess files into padded batches; append an error for each unreadable file."""
    size, settings = preprocessing.size, preprocessing.model_dump()
    images = np.zeros((batch_size, size, size, 1), np.uint8)
    positions = np.full(batch_size, -1, np.int32)
    filled = 0
    for position, path in enumerate(paths):
        try:
            grey = read_radiograph(path)
        except RadiographError as error:
            rejected.append(error)
            continue
        images[filled, ..., 0] = preprocess(grey, **settings)
        positions[filled] = position
        filled += 1
        if filled == batch_size:
            yield {"image": images.copy(), "position": positions.copy()}
            positions[:], filled = -1, 0
    if filled:
        yield {"image": images, "position": positions}


def write_table(path: Path | None, rows: Sequence[tuple[Path, float, str]]) -> None:
    """Write ``path,score,label`` to a file, or to standard output."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "score", "label"))
    writer.writerows((image, f"{score:.6f}", label) for image, score, label in rows)
    if path is None:
        sys.stdout.write(text.getvalue())
    else:
        with atomic_file(path) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.predict",
        description="Score radiographs with a released model. Files that cannot be read are named "
        "on standard error, all others are scored, and the exit status is then 2.",
    )
    parser.add_argument("images", nargs="+", type=Path, help="files or folders")
    parser.add_argument(
        "--model", type=Path, required=True, help="the `model` folder of a finished run"
    )
    parser.add_argument(
        "--threshold", default="default", help="name of an operating point in model.json"
    )
    parser.add_argument("--out", type=Path, help="CSV file (default: standard output)")
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args(arguments)
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    paths = find_images(options.images)
    runtime.set_up_process()
    released = scoring.read_released(options.model)
    thresholds = released.card.thresholds
    if options.threshold not in thresholds:
        raise ConfigError(
            f"--threshold: {options.threshold!r} is not one of {', '.join(thresholds)}"
        )
    predictor = scoring.Predictor(released, options.batch_size)
    rejected: list[RadiographError] = []
    preprocessing = released.card.preprocessing
    batches = list(read_batches(paths, preprocessing, options.batch_size, rejected))
    rows = []
    if batches:
        positions, scores = predictor.score(batches)
        for position, score in zip(positions, scores, strict=True):
            label = released.card.labels[int(score >= thresholds[options.threshold])]
            rows.append((paths[position], float(score), label))
        write_table(options.out, rows)
    for error in rejected:
        print(f"error: {error}", file=sys.stderr)
    return 2 if rejected else 0


if __name__ == "__main__":
    cli.run(main)
