"""Standard output and error without characters that would change the terminal.

A message may contain a file's name, and that name an escape sequence. All that a command prints
passes through `PlainStream`; a progress bar, which draws with escape sequences of its own, asks for
the stream below with `drawing_stream`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elbow_core.printable import plain_text


class PlainStream:
    """A text stream that writes escapes for unprintable characters (`elbow_core.printable`).

    Line ends and tabs pass, and so does the carriage return with which a library redraws a line.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        self.stream.write(plain_text(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what was written."""
        self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def plain_streams() -> Iterator[None]:
    """A context in which standard output and error are plain.

    Characters that the terminal's encoding lacks are written as escapes too.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    plain: Any = [PlainStream(drawing_stream(stream)) for stream in before]
    sys.stdout, sys.stderr = plain
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def drawing_stream(stream: Any) -> Any:
    """Return the stream below a plain one, or the stream itself."""
    return stream.stream if isinstance(stream, PlainStream) else stream
