"""With an ``id_key``: names of files in what others may see, and the private table of them.

A file is often called after its patient, or by a UID of its tags. So with a key, every output and
every message has a keyed hash in place of a path. The way back is a table of its own, beside the
key and readable by its owner alone.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from elbow_core.dataset import hash_path
from elbow_core.errors import UserError
from elbow_core.files import require_output_file
from elbow_core.printable import escape
from elbow_core.tables import read_csv_table, write_csv_table

_COLUMNS = ("path", "file")
_OWNER_ALONE = 0o600
_SHORTEST = 3  # A name of two characters is in many words of a message by chance.
_WORD = re.compile(r"[\w.-]+")


def default_table(id_key: Path, out: Path) -> Path:
    """Return where the table of a data set is kept: beside the key, with its name in front."""
    return id_key.with_name(f"{id_key.name}.{out.resolve().name}.paths.csv")


class PrivateNames:
    """The names of the files below ``root``, hidden by a key; ``table`` leads back to them."""

    def __init__(self, root: Path, key: bytes, table: Path) -> None:
        self._root = root
        self._key = key
        self._table = table

    def hide(self, path: str) -> str:
        """Return what stands for a path from the root."""
        return hash_path(self._key, path)

    def hide_own(self, reason: str, path: str) -> str:
        """Return what is said of a file, with its hash in place of its path and of its names."""
        file = PurePosixPath(path)
        for name in sorted({path, file.name, file.stem}, key=len, reverse=True):
            if len(name) >= _SHORTEST:
                reason = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", self.hide(path), reason)
        return reason

    def prepare_table(self) -> None:
        """Check that the table can be written: it is new, or such a table.

        Raises `UserError`.
        """
        require_output_file(self._table, "private_paths", mark=",".join(_COLUMNS))

    def record(self, paths: Iterable[str]) -> None:
        """Add paths to the table; what it holds already is kept. Raises `UserError`."""
        known = {(self.hide(path), path) for path in paths}
        with suppress(FileNotFoundError):
            self._table.stat()
            table = read_csv_table(self._table)
            former = {(row.cells["path"], row.cells["file"]) for row in table.rows}
            if known <= former:
                return
            known |= former
        try:
            write_csv_table(self._table, _COLUMNS, sorted(known))
            self._table.chmod(_OWNER_ALONE)
        except OSError as error:
            raise UserError(
                f"private_paths: {self._table} cannot be written: {error.strerror}"
            ) from error

    def hide_in(self, message: str, public: str = "") -> str:
        """Return a message in which hashes stand for all paths and names below the root.

        The words of ``public``, such as those of the configuration, are kept. If a name was
        replaced, the message also says where the table is, and the table has that name.
        """
        kept = set(_WORD.findall(public))
        replaced: set[str] = set()
        for path, name in sorted(self._names(), key=lambda pair: -len(pair[1])):
            if name in kept:
                continue
            for written in {name, escape(name), ascii(name)[1:-1]}:
                if written in message:
                    pattern = rf"(?<!\w){re.escape(written)}(?!\w)"
                    message, count = re.subn(pattern, self.hide(path), message)
                    replaced |= {path} if count else set()
        if not replaced:
            return message
        self.record(replaced)
        return f"{message} ({self._table} says which file that is)"

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield each file and folder below the root with its path, its name and its stem."""
        for parent, folders, files in os.walk(self._root):
            for name in (*folders, *files):
                path = Path(parent, name).relative_to(self._root).as_posix()
                texts = {path, name, Path(name).stem}
                yield from ((path, text) for text in texts if len(text) >= _SHORTEST)


@contextmanager
def hidden_names(names: PrivateNames | None, public: str) -> Iterator[None]:
    """Raise any `UserError` of the block with its names hidden (`PrivateNames.hide_in`)."""
    try:
        yield
    except UserError as error:
        if names is None:
            raise
        # Without its cause, whose text has the names.
        raise type(error)(names.hide_in(str(error), public)) from None


def read_private_paths(table: Path) -> dict[str, str]:
    """Return the file of each hidden path in a private table, relative to the data root."""
    rows = read_csv_table(table).rows
    return {row.cells["path"]: row.cells["file"] for row in rows}
