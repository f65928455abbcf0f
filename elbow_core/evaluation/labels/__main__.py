"""Rank the labels of a data set by how doubtful they are, on a page for a reader.

    python -m elbow_core.evaluation.labels PREDICTIONS.csv --archive DIR --out DIR

PREDICTIONS.csv must come from networks that have not learnt from the images that they score:
predictions_out_of_fold.csv of `python -m elbow_jax.crossval`, or held-out ones. Writes labels.html
(one page with embedded pictures, for a reader's verdicts by keyboard or mouse), ranking.csv (all
labels) and labels.json. The page saves corrections.csv, which `python -m elbow_core.prepare
--corrections FILE` applies. Needs cleanlab: pip install 'elbow-radiographs[labels]'.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.evaluation import labels
from elbow_core.tables import parse_whole_number

IMAGES = 100


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS.csv")
    parser.add_argument(
        "--archive", type=Path, required=True, metavar="DIR", help="prepared folder of the images"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--images",
        default=str(IMAGES),
        metavar="N",
        help=f"most doubtful labels on the page, each with its picture; default {IMAGES}",
    )
    options = parser.parse_args(arguments)
    try:
        images = parse_whole_number(options.images)
    except ValueError as error:
        parser.error(f"--images: {error}")
    if images < 1:
        parser.error("--images: 0 is below 1")
    summary = labels.write_audit(options.predictions, options.archive, options.out, images)
    for name in sorted(path.name for path in options.out.iterdir() if path.is_file()):
        print(options.out / name)
    print(
        f"{summary.labels} labels, {summary.flagged} flagged, {summary.contradicting_pairs} pairs "
        f"of near-duplicates with contradicting labels; {summary.shown} images on the page"
    )
    if not summary.low > 0.5:
        print(
            f"the scores hardly separate these labels (AUROC {summary.auroc:.3f}): the order is "
            "little better than chance"
        )
    return 0


if __name__ == "__main__":
    run(main)
