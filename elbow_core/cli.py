"""Run a command and exit with its status: 0, or 2 and one line for a user error."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from elbow_core.errors import UserError
from elbow_core.files import is_full


def run(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Call ``main(arguments)`` and exit with its status.

    A `UserError` or a full disk is printed as one line, and the status is 2.
    """
    try:
        status = main(sys.argv[1:])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except Exception as error:
        if not is_full(error):
            raise
        print(f"error: cannot be written: {str(error).splitlines()[0]}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)
