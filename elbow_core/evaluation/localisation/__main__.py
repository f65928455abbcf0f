"""How often heat maps lie where the bone is broken: measures, baselines, and a report.

    python -m elbow_core.evaluation.localisation MAPS [MAPS ...] --data PREPARED --out DIR

MAPS are folders of heat maps (maps.json and one .npy for each image), all of the same images.
PREPARED is the prepared directory of these images, with regions.csv. Writes report.md, report.html,
localisation.json, images.csv and figures/.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.evaluation import localisation
from elbow_core.evaluation.statistics import DRAWS


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.localisation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("maps", nargs="+", type=Path, metavar="MAPS")
    parser.add_argument("--data", required=True, type=Path, metavar="PREPARED")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--title", default="")
    parser.add_argument("--draws", type=int, default=DRAWS, help="bootstrap draws")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.draws < 100:
        parser.error(f"--draws: {options.draws} is below 100")
    if options.seed < 0:
        parser.error(f"--seed: {options.seed} is below 0")
    # The attributes load matplotlib, which --help does without.
    localisation.require_localisation_folder(options.out)
    settings = localisation.LocalisationSettings(
        title=options.title, draws=options.draws, seed=options.seed
    )
    comparison = localisation.compare_maps(options.maps, options.data, settings)
    localisation.write_localisation(comparison, options.out)
    for name in sorted(path.name for path in options.out.iterdir() if path.is_file()):
        print(options.out / name)
    return 0


if __name__ == "__main__":
    run(main)
