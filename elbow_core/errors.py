"""The errors a user can mend: each is one line that names the thing and says what to do."""


class UserError(Exception):
    """Something outside the program is wrong; the message names it. Commands exit with status 2."""


class ConfigError(UserError):
    """A configuration that cannot be used; the message gives file and key."""


class RadiographError(UserError):
    """A file that cannot be read as one grey radiograph."""


class ManifestError(UserError):
    """A table of images that breaks its schema, or that would leak between splits."""


class ArchiveError(UserError):
    """An archive of prepared images that is missing, stale or damaged."""


class PredictionsError(UserError):
    """A predictions file that breaks its schema; the message gives file and line."""
