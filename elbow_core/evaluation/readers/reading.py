"""Reading of a table of ratings: one row for each reader, modality and case."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from elbow_core.errors import ReaderStudyError
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.identity import normalise_id
from elbow_core.tables import CsvTable, parse_number, read_csv_table

FACTORS = ("reader", "modality", "case")
COLUMNS = (*FACTORS, "truth", "rating")

# The covariance of all readers and modalities has the square of it; 500 take 2 MB.
MAX_READINGS = 500

_BALANCED = (
    "every reader must rate every case with every modality, since the analysis is of factorial "
    "designs; complete the table, or leave out the reader or the case"
)


class _Names:
    """The names of one factor: numbers in the order of the table, by `normalise_id`."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        key = normalise_id(name)
        if not key:
            raise ValueError("is empty")
        if key not in self._numbers:
            self._numbers[key] = len(self.shown)
            self.shown.append(name)
        return self._numbers[key]


def read_study(path: Path, columns: Mapping[str, str], labels: Mapping[str, int]) -> ReaderStudy:
    """Read a study; ``columns`` maps `COLUMNS` to those of the table, ``labels`` truths to 0 and 1.

    Names are compared by `elbow_core.identity`: ``R1`` and ``r1`` are one reader. Raises
    `ReaderStudyError` with file and line for a missing column, an empty name, a truth that is none
    of the labels or differs within a case, a rating that is no number, a second rating, a missing
    rating, fewer than two cases of a class, and a study that is too large.
    """

    def check_columns(present: tuple[str, ...], place: str) -> None:
        if missing := [name for name in columns.values() if not name or name not in present]:
            raise ReaderStudyError(
                f"{place}: no column {', '.join(map(repr, missing))}; the columns are "
                f"{', '.join(map(repr, present))}; name those of the study with --reader, "
                "--modality, --case, --truth and --rating"
            )

    table = read_csv_table(path, ReaderStudyError, check_columns)
    if not table.rows:
        raise ReaderStudyError(f"{path}: no rows below the header")
    names = {factor: _Names() for factor in FACTORS}
    rated: dict[tuple[int, ...], tuple[float, int]] = {}
    truths: dict[int, tuple[int, int]] = {}
    for row in table.rows:
        place = table.place(row)
        key = []
        for factor in FACTORS:
            try:
                key.append(names[factor].number(row.cells[columns[factor]]))
            except ValueError as error:
                raise ReaderStudyError(f"{place}: the {factor} {error}") from error
        if len(names["reader"].shown) * len(names["modality"].shown) > MAX_READINGS:
            raise ReaderStudyError(
                f"{place}: has more than {MAX_READINGS} pairs of readers and modalities; are the "
                "columns those of readers and modalities?"
            )
        reader, modality, case = key
        shown = [names[factor].shown[number] for factor, number in zip(FACTORS, key, strict=True)]
        label = row.cells[columns["truth"]]
        if label not in labels:
            raise ReaderStudyError(
                f"{place}: truth {label!r} is not one of {', '.join(map(repr, labels))}; name the "
                "labels with --positive and --negative"
            )
        truth, first_line = truths.setdefault(case, (labels[label], row.line))
        if truth != labels[label]:
            raise ReaderStudyError(
                f"{place}: case {shown[2]!r} has the truth {label!r} here and another in line "
                f"{first_line}; a case has one truth"
            )
        try:
            rating = parse_number(row.cells[columns["rating"]])
        except ValueError as error:
            raise ReaderStudyError(f"{place}: rating {error}") from error
        if (modality, reader, case) in rated:
            raise ReaderStudyError(
                f"{place}: reader {shown[0]!r} rates case {shown[2]!r} with modality {shown[1]!r} "
                f"a second time, after line {rated[modality, reader, case][1]}; keep one of them"
            )
        rated[modality, reader, case] = (rating, row.line)
    return _study(table, {factor: tuple(of.shown) for factor, of in names.items()}, rated, truths)


def _study(
    table: CsvTable,
    names: Mapping[str, tuple[str, ...]],
    rated: Mapping[tuple[int, ...], tuple[float, int]],
    truths: Mapping[int, tuple[int, int]],
) -> ReaderStudy:
    shape = tuple(len(names[factor]) for factor in ("modality", "reader", "case"))
    ratings = np.full(shape, np.nan)
    for key, (rating, _) in rated.items():
        ratings[key] = rating
    missing = np.argwhere(np.isnan(ratings))
    if len(missing):
        modality, reader, case = missing[0]
        others = f", and {len(missing) - 1} other ratings are missing" if len(missing) > 1 else ""
        raise ReaderStudyError(
            f"{table.path}: reader {names['reader'][reader]!r} has not rated case "
            f"{names['case'][case]!r} with modality {names['modality'][modality]!r}{others}; "
            f"{_BALANCED}"
        )
    truth = np.array([truths[case][0] for case in range(shape[2])], np.int64)
    for label, name in ((1, "positive"), (0, "negative")):
        if (count := int(np.sum(truth == label))) < 2:
            raise ReaderStudyError(
                f"{table.path}: has {count} {name} cases; the accuracy of readers needs at least "
                "two of each class"
            )
    return ReaderStudy(
        names["reader"], names["modality"], names["case"], truth, ratings, str(table.path)
    )
