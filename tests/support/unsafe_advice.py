"""Words that no message of ours may hold: a library's advice to load a file unsafely."""

import re

_ADVICE = re.compile(
    r"weights_only|trust_remote_code|allow_pickle|safe_globals|if you trust|can still be loaded",
    re.IGNORECASE,
)


def advises_unsafe_loading(message: str) -> bool:
    """Return whether a message repeats such advice."""
    return _ADVICE.search(message) is not None
