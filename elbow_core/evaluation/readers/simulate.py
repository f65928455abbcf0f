"""Write a table of simulated ratings, to try the analysis of readers and to learn from it.

    python -m elbow_core.evaluation.readers.simulate STUDY.csv --aurocs 0.80 0.87

The ratings follow the model of Roe and Metz (1997) and are rounded to whole numbers from 0 to 100.
--aurocs gives the mean AUROC of each modality, over all readers and cases of such a kind; --null
the same one for two modalities, for which every difference is chance.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.evaluation.readers.reading import COLUMNS, MAX_READINGS
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.statistics.multireader import ROE_METZ, simulate_ratings
from elbow_core.files import require_output_file
from elbow_core.tables import parse_number, parse_whole_number, write_csv_table

MAX_CASES = 100_000


def simulated_study(
    aurocs: Sequence[float], readers: int, positives: int, negatives: int, structure: str, seed: int
) -> ReaderStudy:
    """Return a study whose modalities have the expected AUROCs; ratings are from 0 to 100.

    ``structure`` is a key of `elbow_core.evaluation.statistics.multireader.ROE_METZ`.
    """
    model = ROE_METZ[structure]
    separations = np.array([model.separation(auroc) for auroc in aurocs])
    truth, ratings = simulate_ratings(
        np.random.default_rng(seed), model, separations, readers, positives, negatives
    )
    # Halfway between the classes is 50; the logistic curve keeps the order of the ratings.
    centred = ratings[0] - separations.mean() / 2
    return ReaderStudy(
        tuple(f"R{number + 1}" for number in range(readers)),
        tuple(f"M{number + 1}" for number in range(len(aurocs))),
        tuple(f"C{number + 1}" for number in range(truth.size)),
        truth,
        np.round(100 / (1 + np.exp(-centred))),
    )


def write_study(path: Path, study: ReaderStudy) -> None:
    """Write a study as a table that `elbow_core.evaluation.readers.read_study` reads."""
    rows = (
        (reader, modality, case, int(study.truth[k]), f"{study.ratings[i, j, k]:g}")
        for j, reader in enumerate(study.readers)
        for i, modality in enumerate(study.modalities)
        for k, case in enumerate(study.cases)
    )
    write_csv_table(path, COLUMNS, rows)


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.readers.simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", type=Path, metavar="STUDY.csv", help="table to write")
    aurocs = parser.add_mutually_exclusive_group(required=True)
    aurocs.add_argument("--aurocs", nargs="+", metavar="AUROC", help="of each modality")
    aurocs.add_argument("--null", metavar="AUROC", help="of two modalities that do not differ")
    parser.add_argument("--readers", default="6", metavar="N", help="default 6")
    parser.add_argument("--positives", default="60", metavar="N", help="cases, default 60")
    parser.add_argument("--negatives", default="60", metavar="N", help="cases, default 60")
    parser.add_argument(
        "--structure",
        choices=tuple(ROE_METZ),
        default="HL",
        help="correlation of the data, then variance of the readers: high or low; default HL",
    )
    parser.add_argument("--seed", default="0", help="default 0")
    options = parser.parse_args(arguments)
    texts = options.aurocs or [options.null, options.null]
    counts = {}
    for name, low, high in (
        ("readers", 1, MAX_READINGS // len(texts)),
        ("positives", 2, MAX_CASES),
        ("negatives", 2, MAX_CASES),
        ("seed", 0, 999_999_999),
    ):
        try:
            counts[name] = parse_whole_number(getattr(options, name))
            if not low <= counts[name] <= high:
                raise ValueError(f"{counts[name]} is not from {low} to {high}")
        except ValueError as error:
            parser.error(f"--{name}: {error}")
    try:
        means = [parse_number(text, 0.01, 0.99) for text in texts]
    except ValueError as error:
        parser.error(f"{'--aurocs' if options.aurocs else '--null'}: {error}")
    require_output_file(options.study, mark=",".join(COLUMNS))
    seed = counts.pop("seed")
    write_study(
        options.study, simulated_study(means, **counts, structure=options.structure, seed=seed)
    )
    print(options.study)
    return 0


if __name__ == "__main__":
    run(main)
