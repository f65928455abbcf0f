"""The table of scores as a file, whose work a killed command leaves for the next one.

The outcomes lie in a journal in the partial folder ``.NAME.partial`` beside the file, which is
locked. The table appears when it is complete.
"""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import starmap
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files import is_work_of, marked_folder, partial_of, remove_marked, resume_work
from elbow_core.processes import Interrupted
from elbow_core.progress import track
from elbow_core.tables import write_csv_table
from elbow_jax.streaming.groups import Outcome, Scores
from elbow_jax.streaming.journal import Journal
from elbow_jax.streaming.table import COLUMNS, TASK, Sheet

Groups = Generator[list[Outcome], None, None]

_WORK, _JOURNAL = "work", "outcomes"


def write_resumably(
    out: Path,
    target: Path,
    key: str,
    paths: Sequence[str],
    score: Callable[[int, Scores], Groups],
    sheet: Sheet,
) -> None:
    """Score files and write their table; continue where a killed command of the same key stopped.

    Each group that is finished is kept. After a signal, an error of a file or a full disk the same
    command continues behind it, and the table is byte-identical to that of an undisturbed command.

    Args:
        out: the file as the user names it.
        target: the file itself (`elbow_core.files.output_file`).
        key: what the table depends on.
        paths: of the files.
        score: scores the files from a number on, given the scores of those before it.
        sheet: what the table says of an outcome.

    Raises:
        UserError: if another process writes this table, the partial folder is not ours, or the disk
            refuses; and as ``score`` does.
    """
    partial = partial_of(target)
    with marked_folder(partial, f"{out}: is being written by another process"):
        with _kept(out, partial):
            journal, scores = _resume(out, partial, key, len(paths))
        try:
            with closing(score(journal.files, scores)) as groups:
                _append(out, partial, journal, groups, len(paths))
            with _kept(out, partial):
                pairs = zip(paths, journal.outcomes(), strict=True)
                write_csv_table(out, COLUMNS, starmap(sheet.row, pairs))
                remove_marked(partial)
        except (KeyboardInterrupt, Interrupted) as stopped:
            done = f"{journal.files} of {len(paths)} files are done"
            stopped.add_note(f"{done}; the same command continues")
            raise
        finally:
            if not journal.files:
                with suppress(OSError):
                    remove_marked(partial)


def _resume(out: Path, partial: Path, key: str, total: int) -> tuple[Journal, Scores]:
    """Return the journal of this key, and the scores in it."""
    if (partial / _WORK / _JOURNAL).exists() and not is_work_of(partial / _WORK, key):
        print(
            f"{out}: unfinished scores of other files, another model or other settings are "
            "dropped, and all files are scored anew",
            file=sys.stderr,
        )
    (work,) = resume_work(partial, key, [_WORK])
    journal = Journal(work / _JOURNAL)
    scores = journal.restore(total)
    if journal.files:
        print(f"{out}: continues behind {journal.files} of {total} files", file=sys.stderr)
    return journal, scores


def _append(out: Path, partial: Path, journal: Journal, groups: Groups, total: int) -> None:
    """Write each group to the journal; show the progress."""

    def each_file() -> Iterator[None]:
        for group in groups:
            with _kept(out, partial):
                journal.append(group)
            yield from [None] * len(group)

    for _ in track(each_file(), total, TASK, journal.files, brief=True):
        pass


@contextmanager
def _kept(out: Path, partial: Path) -> Iterator[None]:
    """Raise `UserError` for an `OSError` of the block; say where the finished part is."""
    try:
        yield
    except OSError as error:
        kept = f"; {partial} contains the finished part, and the same command continues there"
        raise UserError(
            f"{out}: cannot be written: {error.strerror or error}{kept if partial.is_dir() else ''}"
        ) from error
