"""Score new radiographs: ``python -m elbow_jax.predict --model DIR IMAGE... [--out FILE.csv]``."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from elbow_core import cli
from elbow_core.errors import ConfigError
from elbow_core.evaluation import UNCERTAIN, AbstentionRecord
from elbow_core.evaluation.statistics import DEFAULT
from elbow_core.evaluation.statistics.abstention import LEFT
from elbow_core.files import output_file, require_output_file, require_utf8_name
from elbow_core.printable import one_line
from elbow_core.processes import Interrupted, WorkerPool
from elbow_core.radiographs import count_unread, describe_passed_over
from elbow_core.tables import parse_number
from elbow_jax import runtime, scoring, streaming

_BYTES_PER_FILE = 200  # of the table and of what is kept until it is complete, without the paths
_FEW_FILES = 64  # read sooner than worker processes start
ABSTENTION = "abstention"
"""The operating point of the two thresholds that leave images to the reader, in the table."""


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


def operating_point_of(card: "scoring.ModelCard", threshold: str | None) -> str:
    """Return how the table names what `answers_of` decides by."""
    if threshold is None:
        return DEFAULT if card.abstention is None else ABSTENTION
    return threshold


def describe_left(abstention: AbstentionRecord, scores: Float64[np.ndarray, " n"]) -> str:
    """Return, in a line, how many images are left to the reader, and the promise for the others."""
    left = int(np.count_nonzero(abstention.answers(scores) == LEFT))
    return (
        f"left to the reader: {left} of {len(scores)} images; promised for patients like those of "
        f"validation, with confidence {abstention.confidence:g}: at most "
        f"{abstention.most_missed:g} injured of those called normal, at most "
        f"{abstention.most_false_alarms:g} normal of those called injured"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    if options.workers is not None and options.workers < 0:
        raise ConfigError(f"--workers: {options.workers} is not at least 0")
    found = streaming.find_images(options.images)
    if options.out is not None:
        size = sum(2 * len(path) + _BYTES_PER_FILE for path in found.paths)
        require_output_file(options.out, "--out", mark=streaming.MARKS, size=size)
    require_utf8_name(options.model)
    runtime.set_up_process()
    runtime.open_devices()
    released = scoring.read_released(options.model)
    answer = answers_of(released.card, options.threshold)
    sheet = streaming.Sheet(answer, operating_point_of(released.card, options.threshold))
    for line in describe_passed_over(found.passed_over):
        print(line, file=sys.stderr)
    _score(options, released, found.paths, sheet)
    if options.threshold is None and released.card.abstention is not None and len(sheet.scores):
        print(describe_left(released.card.abstention, sheet.scores), file=sys.stderr)
    if sheet.unlike:
        flagged = f"{sheet.unlike} of {len(sheet.scores)} images"
        print(f"{streaming.UNLIKE}: {flagged}; their scores may mean nothing", file=sys.stderr)
    for rejection in sheet.rejections:
        print(f"error: {one_line(rejection)}", file=sys.stderr)
    if sheet.unnamed:
        more = f"{sheet.unnamed} more files have no score; their rows say why"
        print(f"error: {more}", file=sys.stderr)
    if unread := count_unread(found.passed_over):
        print(f"error: {unread} entries passed over may be radiographs", file=sys.stderr)
    return 2 if sheet.rejected or unread else 0


def _score(
    options: argparse.Namespace,
    released: "scoring.ReleasedModel",
    paths: Sequence[str],
    sheet: "streaming.Sheet",
) -> None:
    """Score the files, and write the table to where the options say."""
    predictor = scoring.Predictor(released, options.batch_size)

    def score(first: int, scores: streaming.Scores) -> streaming.Groups:
        with WorkerPool(_workers(options.workers, len(paths) - first)) as pool:
            yield from streaming.score_files(
                paths, first, scores, predictor, released.card.preprocessing, pool
            )

    out: Path | None = options.out
    target = None if out is None else output_file(out)
    if out is not None and target is not None:
        settings = [scoring.card_text(released.card), repr(options.threshold)]
        settings += [str(options.batch_size), *predictor.devices]
        key = streaming.fingerprint_of(paths, settings)
        streaming.write_resumably(out, target, key, paths, score, sheet)
        return
    with contextlib.ExitStack() as opened:
        stream = sys.stdout
        if out is not None:  # a pipe or a device
            stream = opened.enter_context(out.open("w", encoding="utf-8", newline=""))
        groups = opened.enter_context(contextlib.closing(score(0, {})))
        try:
            # A bar would be drawn between the rows on a terminal.
            streaming.write_as_they_come(stream, paths, groups, sheet, not stream.isatty())
        except (KeyboardInterrupt, Interrupted) as stopped:
            stopped.add_note("with --out FILE, the same command would continue")
            raise


def _workers(asked: int | None, files: int) -> int:
    """Return the number of worker processes: by default one for each core, and none for few files.

    The main process reads few files itself, before workers would have started.
    """
    if asked is not None:
        return min(asked, files)
    from elbow_jax.ops.cpu import available_cores  # imports JAX, which --help does without

    return min(available_cores(), files) if files >= _FEW_FILES else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.predict",
        description="Score radiographs with a released model. Files that cannot be read have a "
        "reason in place of a score and are named on standard error, all others are scored, and "
        "the exit status is then 2. The entries of a folder that are passed over are counted on "
        "standard error; the status is 2 if some of them may be radiographs. With --out, the same "
        "command continues what a killed or stopped one has begun.",
    )
    parser.add_argument(
        "images", nargs="+", help="files, folders, or lists: @FILE has the path of one in each line"
    )
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
    parser.add_argument(
        "--workers",
        type=int,
        help="processes that read files, 0 for none of their own (default: one for each core, "
        f"and none for fewer than {_FEW_FILES} files)",
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
