"""Errors that a user can fix: each is one line that names the cause and says what to do."""


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


class PredictionsError(UserError):
    """A predictions file that violates its schema; the message names file and line."""
