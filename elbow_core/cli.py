"""Run a command and exit with its status: 0, or 2 and one line for a user error."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from elbow_core.errors import UserError


def run(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Call ``main(arguments)`` and exit with its status; print a `UserError` and exit with 2."""
    try:
        status = main(sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)
