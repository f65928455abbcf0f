"""The prediction files that a report has read, by names that tell them apart."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content.structure import InputFile
from elbow_core.files import sha256_of
from elbow_core.runs import RECORD


def input_files(
    predictions: Sequence[Predictions],
    validation: Iterable[Predictions],
    internal: Iterable[Predictions] = (),
    external: Iterable[Predictions] = (),
) -> list[InputFile]:
    """Return name, role, rows and digest of each file; predictions from memory go by their model.

    A report is for others, and a folder may reveal more about a hospital's machine than a report
    should: `shown_names` gives no more of the paths than is needed.
    """
    read = [(model, "predictions") for model in predictions]
    read += [(model, "validation") for model in validation]
    read += [(model, "internal test set") for model in internal]
    read += [(model, "external set") for model in external]
    names = iter(shown_names([model.path for model, _ in read if model.path]))
    return [
        InputFile(
            next(names), role, len(model), sha256_of(Path(model.path)), run_name(Path(model.path))
        )
        if model.path
        else InputFile(model.model, role, len(model), "")
        for model, role in read
    ]


def run_name(path: Path) -> str:
    """Return the name of the run's directory that a file lies in; empty if it lies in none."""
    folder = path.parent.resolve()
    return folder.name if (folder / RECORD).is_file() else ""


def shown_names(paths: Sequence[str]) -> list[str]:
    """Return the shortest end of each path that no other path has, at least the file's name.

    Folders that all paths share are never part of it, so the result is no absolute path. A path
    that is given twice has one name.
    """
    parts = [(Path(path).parent.resolve() / Path(path).name).parts for path in paths]
    folders = zip(*(path[:-1] for path in parts), strict=False)
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, folders))
    parts = [path[shared:] for path in parts]
    return ["/".join(_shortest_end(path, parts)) for path in parts]


def _shortest_end(path: tuple[str, ...], others: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    others = [other for other in others if other != path]
    for length in range(1, len(path)):
        if all(other[-length:] != path[-length:] for other in others):
            return path[-length:]
    return path
