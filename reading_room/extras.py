"""The packages of the extra ``reading_room``, which the other packages do without."""

import importlib.util

from elbow_core.errors import ConfigError


def require_extras() -> None:
    """Raise `ConfigError` if a package that DICOM out or DICOMweb needs is not installed."""
    names = {"highdicom": "highdicom", "dicomweb_client": "dicomweb-client"}
    missing = [name for module, name in names.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"needs {', '.join(missing)}; install with: pip install "
            "'elbow-radiographs[reading_room]'"
        )
