"""Errors that a user can fix: each is one line that names the cause and says what to do.

`library_reason` turns an error of a library into such a cause.
"""

import re


class UserError(Exception):
    """A problem outside the program, named in the message. Commands exit with status 2."""


class ConfigError(UserError):
    """An invalid configuration; the message names file and key."""


class RadiographError(UserError):
    """A file that cannot be read as one grey radiograph."""


class MachineError(UserError):
    """The machine's trouble and no verdict on a file: memory, permission, a failing disk."""


class ManifestError(UserError):
    """A manifest that violates its schema, or whose splits would leak."""


class ArchiveError(UserError):
    """An archive of prepared images that is missing, stale or damaged."""


class HeatMapError(UserError):
    """Heat maps that violate their format or do not belong together; the message names them."""


class PredictionsError(UserError):
    """A predictions file that violates its schema; the message names file and line."""


class HubError(UserError):
    """The Hugging Face hub cannot be reached, or refuses; the message says what to do instead."""


class ReaderStudyError(UserError):
    """A table of readers' ratings that cannot be analysed; the message names file and line."""


_LONGEST_REASON = 300
_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x1f\x7f-\x9f]+")
# Words with which libraries advise to load code or Python objects after all.
_UNSAFE_ADVICE = re.compile(
    r"trust|weights_only|allow_pickle|safe_globals|can still be loaded|pickle_module|"
    r"allow_dangerous|custom code|execut\w+ (?:the |this )?code|insecure|unsafe",
    re.IGNORECASE,
)
_OBJECTS = "it is damaged, or needs Python objects or code of its own, which are never loaded"


def library_reason(error: BaseException) -> str:
    """Return what a library's error says, in one line, for a message of ours.

    It is the first line of the error without control characters, cut to 300 characters; an error
    without a message gives its type. Sentences with advice to load a file unsafely (with
    ``weights_only=False``, ``trust_remote_code=True``, ``allow_pickle=True`` or the like) are left
    out, and replaced by a plain reason where nothing else remains.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = " ".join(_CONTROL.sub(" ", lines[0]).split())
    sentences = re.split(r"(?<=[.!?;])\s+", line)
    safe = [sentence for sentence in sentences if not _UNSAFE_ADVICE.search(sentence)]
    reason = " ".join(safe)
    if not safe or reason.startswith("Weights only load failed"):
        return _OBJECTS
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
