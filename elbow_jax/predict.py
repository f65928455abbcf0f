"""Score new radiographs: ``python -m elbow_jax.predict --model DIR IMAGE... [--out FILE.csv]``."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from elbow_core import cli
from elbow_core.errors import ConfigError, RadiographError
from elbow_core.evaluation import UNCERTAIN, AbstentionRecord
from elbow_core.evaluation.statistics import DEFAULT, LEFT
from elbow_core.files import require_output_file, require_utf8_name
from elbow_core.printable import one_line
from elbow_core.radiographs import (
    IMAGE_SUFFIXES,
    Preprocessing,
    count_unread,
    describe_passed_over,
    find_passed_over,
    list_image_files,
    preprocess,
    read_radiograph,
)
from elbow_core.tables import parse_number, write_csv_rows, write_csv_table
from elbow_jax import runtime, scoring

_COLUMNS = ("path", "score", "label", "gate")
_FORMER_HEADER = "path,score,label"
_ALIKE, _UNLIKE = "ok", "unlike the training images"
_BYTES_PER_SCORE = 32  # of a row of the table, without the path


def find_images(paths: Sequence[Path]) -> tuple[list[Path], dict[str, list[Path]]]:
    """Return the given files and the image files in each given folder, sorted, and the others.

    The others are the entries of the folders that are passed over, by reason.

    Raises:
        ConfigError: if a path does not exist, or a folder holds no image file.
    """
    found: list[Path] = []
    passed_over: dict[str, list[Path]] = {}
    for path in paths:
        if path.is_dir():
            images = list_image_files(path)
            others = find_passed_over(path, images)
            if not images:
                suffixes = ", ".join(IMAGE_SUFFIXES)
                lines = ["holds no file that ends in " + suffixes + ", and no DICOM"]
                raise ConfigError(f"{path}: {'; '.join(lines + describe_passed_over(others))}")
            found += images
            for reason, entries in others.items():
                passed_over.setdefault(reason, []).extend(entries)
        elif path.exists():
            found.append(path)
        else:
            raise ConfigError(f"{path}: no such file or folder")
    return found, passed_over


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


def write_table(path: Path | None, rows: Sequence[tuple[Path, float, str, str]]) -> None:
    """Write ``path,score,label,gate`` to a file, or to standard output."""
    cells = ((str(image), f"{score:.6f}", label, gate) for image, score, label, gate in rows)
    if path is None:
        write_csv_rows(sys.stdout, _COLUMNS, cells)
    else:
        write_csv_table(path, _COLUMNS, cells)


def choose_threshold(given: str, thresholds: Mapping[str, float]) -> float:
    """Return the threshold of a name in ``thresholds``, or that a number from 0 to 1 gives.

    Raises:
        ConfigError: if ``given`` is neither.
    """
    if given in thresholds:
        return thresholds[given]
    try:
        return parse_number(given, 0, 1)
    except ValueError as error:
        names = ", ".join(thresholds)
        raise ConfigError(
            f"--threshold: {given!r} is not one of {names}, and not a number from 0 to 1"
        ) from error


def answers_of(card: "scoring.ModelCard", threshold: str | None) -> Callable[[float], str]:
    """Return the function from a score to its answer.

    Without ``threshold`` the answer is that of the card's two thresholds where it has them: one of
    its labels, or `UNCERTAIN` for an image that is left to the reader.

    Raises:
        ConfigError: as `choose_threshold` does.
    """
    found = card.abstention
    if threshold is None and found is not None:
        below, injury_from = found.normal_below, found.injury_from
        normal, injury = card.labels
        return lambda score: (
            injury if score >= injury_from else normal if score < below else UNCERTAIN
        )
    value = choose_threshold(DEFAULT if threshold is None else threshold, card.thresholds)
    return lambda score: card.labels[int(score >= value)]


def describe_left(abstention: AbstentionRecord, scores: Float64[np.ndarray, " n"]) -> str:
    """Return, in a line, how many images are left to the reader, and the promise for the others."""
    left = int(np.count_nonzero(abstention.answers(scores) == LEFT))
    return (
        f"left to the reader: {left} of {len(scores)} images; promised for patients like those of "
        f"validation, with confidence {abstention.confidence:g}: at most "
        f"{abstention.most_missed:g} injured of those called normal, at most "
        f"{abstention.most_false_alarms:g} normal of those called injured"
    )


def name_flags(
    distances: Float32[np.ndarray, " n"] | None, count: int
) -> tuple[list[str], list[str]]:
    """Return what the input gate says of each image, and lines about it for the user.

    Both are empty text where the model has no gate, and None stands for its distances.
    """
    if distances is None:
        return [""] * count, []
    unlike = distances > 1
    flagged = int(np.count_nonzero(unlike))
    lines = [f"{_UNLIKE}: {flagged} of {count} images; their scores may mean nothing"]
    return [_UNLIKE if found else _ALIKE for found in unlike], lines if flagged else []


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.predict",
        description="Score radiographs with a released model. Files that cannot be read are named "
        "on standard error, all others are scored, and the exit status is then 2. The entries of a "
        "folder that are passed over are counted on standard error; the status is 2 if some of "
        "them may be radiographs.",
    )
    parser.add_argument("images", nargs="+", type=Path, help="files or folders")
    parser.add_argument(
        "--model", type=Path, required=True, help="the `model` folder of a finished run"
    )
    parser.add_argument(
        "--threshold",
        help="name of an operating point in model.json, or a number from 0 to 1; by default the "
        "model's two thresholds that leave images to the reader, or else `default`",
    )
    parser.add_argument("--out", type=Path, help="CSV file (default: standard output)")
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args(arguments)
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    paths, passed_over = find_images(options.images)
    if options.out is not None:
        size = sum(len(str(path)) + _BYTES_PER_SCORE for path in paths)
        require_output_file(options.out, "--out", mark=_FORMER_HEADER, size=size)
    require_utf8_name(options.model)
    runtime.set_up_process()
    runtime.open_devices()
    released = scoring.read_released(options.model)
    name_answer = answers_of(released.card, options.threshold)
    for line in describe_passed_over(passed_over):
        print(line, file=sys.stderr)
    predictor = scoring.Predictor(released, options.batch_size)
    rejected: list[RadiographError] = []
    preprocessing = released.card.preprocessing
    batches = list(read_batches(paths, preprocessing, options.batch_size, rejected))
    rows = []
    if batches:
        positions, scores, distances = predictor.judge(
            batches, lambda position: str(paths[position])
        )
        flags, lines = name_flags(distances, len(scores))
        for position, score, flag in zip(positions, scores, flags, strict=True):
            rows.append((paths[position], float(score), name_answer(float(score)), flag))
        write_table(options.out, rows)
        if options.threshold is None and released.card.abstention is not None:
            print(describe_left(released.card.abstention, scores), file=sys.stderr)
        for line in lines:
            print(line, file=sys.stderr)
    for error in rejected:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
    if unread := count_unread(passed_over):
        print(f"error: {unread} entries passed over may be radiographs", file=sys.stderr)
    return 2 if rejected or unread else 0


if __name__ == "__main__":
    cli.run(main)
