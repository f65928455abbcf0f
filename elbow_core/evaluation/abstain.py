"""Choose, on validation scores, the two thresholds between which an image is left to the reader.

    python -m elbow_core.evaluation.abstain VALIDATION.csv --missed 0.05 --false-alarms 0.1 \\
        --out abstention.json

A score below the first threshold is called normal, one at or above the second injured. With the
confidence, over validation sets: of the images called normal at most the share --missed are
injured, and of those called injured at most the share --false-alarms are normal, among patients
like those of the validation set. An answer for which no threshold is certain enough is never given.
The patients must be new to the model: neither it nor its choice may have learnt from them, and
predictions of a test set cannot be told from those of a validation set.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.evaluation.abstention import (
    ABSTENTION_MARK,
    AbstentionRecord,
    CertifiedAnswer,
    abstention_of,
    write_abstention,
)
from elbow_core.evaluation.predictions import Predictions, read_predictions
from elbow_core.evaluation.statistics.abstention import LEFT, first_level
from elbow_core.files import require_output_file
from elbow_core.printable import one_line
from elbow_core.tables import parse_number, parse_whole_number


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.abstain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("validation", type=Path, metavar="VALIDATION.csv")
    parser.add_argument(
        "--missed",
        required=True,
        metavar="SHARE",
        help="wanted share of injured images among those called normal, inside 0 to 1",
    )
    parser.add_argument(
        "--false-alarms",
        required=True,
        metavar="SHARE",
        help="wanted share of normal images among those called injured, inside 0 to 1",
    )
    parser.add_argument("--confidence", default="0.95", help="inside 0 to 1; default: 0.95")
    parser.add_argument(
        "--unit",
        choices=("patient", "image"),
        default="patient",
        help="what counts once in the shares; default: patient, whatever the number of images",
    )
    parser.add_argument(
        "--most-images",
        metavar="N",
        help="with --unit image: images that any patient has at most, here and later",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="abstention.json")
    options = parser.parse_args(arguments)
    if (options.unit == "image") != (options.most_images is not None):
        parser.error("--most-images: belongs to --unit image, which needs it")
    most_images = None
    if options.most_images is not None:
        try:
            most_images = parse_whole_number(options.most_images)
        except ValueError as error:
            parser.error(f"--most-images: {error}")
        if most_images < 1:
            parser.error("--most-images: 0 is not at least 1")
    missed, false_alarms, confidence = (
        _share(parser, name, text)
        for name, text in (
            ("--missed", options.missed),
            ("--false-alarms", options.false_alarms),
            ("--confidence", options.confidence),
        )
    )
    require_output_file(options.out, "--out", mark=ABSTENTION_MARK)
    validation = read_predictions(options.validation)
    record = abstention_of(validation, missed, false_alarms, confidence, most_images)
    write_abstention(options.out, record)
    for line in describe(record, validation):
        print(line)
    print(options.out)
    return 0


def describe(record: AbstentionRecord, validation: Predictions) -> list[str]:
    """Return, in lines, what was chosen on the validation predictions, and what it promises."""
    unnamed = int(np.count_nonzero(validation.keys("patient_id") == ""))
    counted = (
        "every patient counts once"
        if record.most_images is None
        else f"every image counts once; at most {record.most_images} of a patient"
    )
    lines = [
        f"{one_line(record.model)}: {record.images} images of {record.patients} patients, "
        f"{record.injured} injured; {counted}"
    ]
    if unnamed:
        lines.append(f"{unnamed} images name no patient; each counts as a patient of its own")
    lines.append(_line("normal: score below", record.normal, "injured", record.most_missed, record))
    lines.append(
        _line("injury: score from", record.injury, "normal", record.most_false_alarms, record)
    )
    left = int(np.count_nonzero(record.answers(validation.score) == LEFT))
    lines.append(
        f"left to the reader: {left} of {record.images} images ({left / len(validation):.1%})"
    )
    lines.append(f"confidence that both shares are kept: {record.confidence:g}")
    return lines


def _line(
    answer: str, found: CertifiedAnswer | None, other: str, wanted: float, record: AbstentionRecord
) -> str:
    if found is not None:
        return (
            f"{answer} {found.threshold:g}, {found.images} images, {found.wrong} of them {other}; "
            f"promise: at most {wanted:g} (p {found.p:.2g}, level {found.level:.2g})"
        )
    needed = math.ceil(math.log(first_level(record.confidence)) / math.log1p(-wanted))
    return (
        f"{answer.partition(':')[0]}: never, since no threshold is certain to keep {wanted:g}; "
        f"it takes {needed} patients or more that are called so"
    )


def _share(parser: argparse.ArgumentParser, option: str, text: str) -> float:
    """Return the number inside 0 to 1, ends excluded, that an option gives."""
    try:
        value = parse_number(text, 0, 1)
    except ValueError as error:
        parser.error(f"{option}: {error}")
    if not 0 < value < 1:
        parser.error(f"{option}: {text} is not inside 0 to 1")
    return value


if __name__ == "__main__":
    run(main)
