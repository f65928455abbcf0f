"""The configurations that come with the project: in its checkout, or as installed."""

import importlib.metadata
import shutil
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files import atomic_folder

_DISTRIBUTION = "elbow-radiographs"
_INSTALLED = f"share/{_DISTRIBUTION}/configs/"


def copy_configs(folder: Path) -> int:
    """Copy the project's configurations into a folder; return their number.

    Args:
        folder: must be absent or empty; it appears complete or not at all.

    Raises:
        UserError: if it has content or cannot be written, or if the installation has no
            configurations.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder}: already exists; name another folder")
    files = _configurations()
    if not files:
        raise UserError("the installation has no configurations; install the project anew")
    with atomic_folder(folder) as partial:
        for name, source in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, partial / name)
    return len(files)


def _configurations() -> dict[str, Path]:
    """Return the files by their path below ``configs``."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file():
        root = checkout / "configs"
        return {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    try:
        installed = importlib.metadata.files(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = {file.as_posix().partition(_INSTALLED)[2]: file for file in installed}
    return {name: Path(str(file.locate())) for name, file in found.items() if name}
