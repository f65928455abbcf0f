"""Compare modalities in a study in which several readers rate the same cases.

    python -m elbow_core.evaluation.readers STUDY.csv --out DIR

STUDY.csv has one row for each reader, modality and case: reader,modality,case,truth,rating. A
higher rating means more suspicion of a positive case. Every reader must have rated every case with
every modality. Writes report.md, report.html (one page with embedded pictures), readers.json and
figures/.

With --effect the study is also the pilot of one in planning: the report gives the readers and cases
that find such a difference.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.evaluation import readers
from elbow_core.evaluation.readers.reading import COLUMNS, read_study
from elbow_core.evaluation.readers.settings import PlanSettings, ReaderSettings
from elbow_core.evaluation.statistics.multireader import MAX_PLANNED_CASES, Population
from elbow_core.tables import parse_number, parse_whole_number

POPULATIONS: dict[str, Population] = {
    "random": "random",
    "fixed-readers": "fixed_readers",
    "fixed-cases": "fixed_cases",
}
MAX_READERS = 1000


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    settings = _settings(parser, options)
    if options.positive == options.negative:
        parser.error(f"--negative: {options.negative!r} is the label of positive cases too")
    study = read_study(
        options.study,
        {name: getattr(options, name) for name in COLUMNS},
        {options.positive: 1, options.negative: 0},
    )
    # The attribute loads matplotlib, which --help and a refused table do without.
    readers.write_readers_report(study, options.out, settings)
    for name in sorted(path.name for path in options.out.iterdir() if path.is_file()):
        print(options.out / name)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.readers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", type=Path, metavar="STUDY.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--title", default="", help="title of the report")
    table = parser.add_argument_group("the table")
    for name in COLUMNS:
        table.add_argument(
            f"--{name}", default=name, metavar="COLUMN", help=f"column, default {name}"
        )
    table.add_argument("--positive", default="1", metavar="LABEL", help="truth of positive cases")
    table.add_argument("--negative", default="0", metavar="LABEL", help="truth of negative cases")
    analysis = parser.add_argument_group("the analysis")
    analysis.add_argument(
        "--metric",
        nargs="+",
        choices=("auroc", "sensitivity", "specificity"),
        help="default: auroc, and with a threshold all; sensitivity and specificity where every "
        "rating is 0 or 1",
    )
    analysis.add_argument(
        "--threshold", metavar="RATING", help="rating from which a case counts as called positive"
    )
    analysis.add_argument(
        "--population",
        choices=tuple(POPULATIONS),
        default="random",
        help="to conclude on random readers and cases (default), on these readers and random "
        "cases, or on random readers and these cases",
    )
    analysis.add_argument(
        "--covariance",
        choices=("jackknife", "delong"),
        default="jackknife",
        help="of the AUROCs over the cases; default jackknife",
    )
    analysis.add_argument("--confidence", default="0.95", help="of the intervals; default 0.95")
    analysis.add_argument(
        "--reference", metavar="MODALITY", help="modality that others must not be worse than"
    )
    analysis.add_argument("--margin", help="of non-inferiority to --reference, above 0 and below 1")
    plan = parser.add_argument_group("a study in planning")
    plan.add_argument(
        "--effect",
        metavar="DIFFERENCE",
        help="difference to find; with --margin, that of new minus reference, such as 0",
    )
    plan.add_argument("--power", help="wanted power; default 0.8")
    plan.add_argument("--plan-readers", nargs="+", metavar="N", help="numbers of readers")
    plan.add_argument(
        "--plan-cases", nargs="+", metavar="N", help="numbers of cases whose power to give too"
    )
    return parser


def _settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> ReaderSettings:
    def value(name: str, low: float | int, high: float | int) -> float | None:
        """Return a number strictly between two limits, or None if the option is not given."""
        text = getattr(options, name)
        if text is None:
            return None
        try:
            found = parse_number(text)
            if not low < found < high:
                raise ValueError(f"{text!r} is not above {low:g} and below {high:g}")
        except ValueError as error:
            parser.error(f"--{name}: {error}")
        return found

    if (options.margin is None) != (options.reference is None):
        parser.error("--margin and --reference: give both or neither")
    infinity = float("inf")
    effect = value("effect", -1, 1)
    for name in ("power", "plan_readers", "plan_cases"):
        if effect is None and getattr(options, name) is not None:
            parser.error(f"--{name.replace('_', '-')}: is for planning; give --effect too")
    margin = value("margin", 0, 1)
    if effect == 0 and margin is None:
        parser.error("--effect: no study finds a difference of 0; give the least that matters")
    if effect is not None and margin is not None and effect <= -margin:
        parser.error(f"--effect: {effect:g} is not above minus the margin, {-margin:g}")
    confidence = value("confidence", 0, 1)
    return ReaderSettings(
        title=options.title,
        population=POPULATIONS[options.population],
        covariance=options.covariance,
        metrics=tuple(dict.fromkeys(options.metric or ())),
        threshold=value("threshold", -infinity, infinity),
        reference=options.reference or "",
        margin=margin,
        confidence=0.95 if confidence is None else confidence,
        plan=None if effect is None else _plan(parser, options, effect, value("power", 0, 1)),
    )


def _plan(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    effect: float,
    power: float | None,
) -> PlanSettings:
    def counts(name: str, low: int, high: int) -> tuple[int, ...] | None:
        texts = getattr(options, name)
        if texts is None:
            return None
        found = []
        for text in texts:
            try:
                found.append(parse_whole_number(text))
            except ValueError as error:
                parser.error(f"--{name.replace('_', '-')}: {error}")
            if not low <= found[-1] <= high:
                flag = f"--{name.replace('_', '-')}"
                parser.error(f"{flag}: {found[-1]} is not from {low} to {high}")
        return tuple(dict.fromkeys(found))

    fewest = 1 if options.population == "fixed-readers" else 2
    given = PlanSettings(effect)
    return PlanSettings(
        effect,
        given.power if power is None else power,
        counts("plan_readers", fewest, MAX_READERS) or given.readers,
        counts("plan_cases", 4, 100 * MAX_PLANNED_CASES) or (),
    )


if __name__ == "__main__":
    run(main)
