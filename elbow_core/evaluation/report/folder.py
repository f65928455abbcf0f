"""The folder of a report: replaced as a whole; a folder with other files is refused."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from elbow_core.errors import PredictionsError, UserError
from elbow_core.files import atomic_folder

MARK = "metrics.json"


def refuse_foreign_folder(out: Path) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier report."""
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise PredictionsError(f"{out}: holds other files; name a folder that is new or empty")
    if out.exists() and not out.is_dir():
        raise PredictionsError(f"{out}: is a file; name a folder")


@contextmanager
def report_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces ``out`` when the block succeeds.

    After an exception ``out`` is unchanged. Raises `PredictionsError` if it cannot be written.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(atomic_folder(out, replace=True))
        except UserError as error:
            raise PredictionsError(str(error)) from error
        yield folder
