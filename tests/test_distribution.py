"""What is built to be installed: a source archive, and from it a wheel that runs by itself."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.support.paths import ROOT

PACKAGES = ("elbow_core", "elbow_jax", "reading_room", "vlm_torch")
BUILD = "import setuptools.build_meta as backend; print(backend.build_{kind}({out!r}))"
# Python packages need no README of a folder, which is for readers of the source.
LEFT_OUT = {"elbow_jax/ops/cpu/README.md"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the files that git knows; a build leaves its own files beside them."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(checkout, tmp_path_factory) -> Path:
    """A folder with a source archive and the wheel that was built from it alone."""
    out = tmp_path_factory.mktemp("dist")
    _build("sdist", checkout, out)
    (archive,) = out.glob("*.tar.gz")
    source = tmp_path_factory.mktemp("source")
    with tarfile.open(archive) as file:
        file.extractall(source, filter="data")
    (unpacked,) = source.iterdir()
    _build("wheel", unpacked, out)
    return out


def _build(kind: str, source: Path, out: Path) -> None:
    command = [sys.executable, "-W", "default", "-c", BUILD.format(kind=kind, out=str(out))]
    subprocess.run(command, cwd=source, capture_output=True, check=True)


def _files_of(checkout: Path, *folders: str) -> set[str]:
    return {
        path.relative_to(checkout).as_posix()
        for folder in folders
        for path in (checkout / folder).rglob("*")
        if path.is_file()
    } - LEFT_OUT


def test_wheel_holds_the_packages_and_the_configurations_and_nothing_else(checkout, built):
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    data = {name for name in names if ".data/" in name}
    code = {name for name in names - data if ".dist-info/" not in name}
    assert code == _files_of(checkout, *PACKAGES)
    assert {name.partition("share/elbow-radiographs/")[2] for name in data} == _files_of(
        checkout, "configs"
    )
    assert {f"{package}/py.typed" for package in PACKAGES} <= code


def test_source_archive_holds_no_tests_documents_or_benchmarks(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        paths = [PurePosixPath(name).parts[1:] for name in file.getnames()]
    top = {path[0] for path in paths if path}
    metadata = {"PKG-INFO", "setup.cfg", "elbow_radiographs.egg-info", "MANIFEST.in"}
    texts = {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "pyproject.toml"}
    assert top == {*PACKAGES, "configs", *metadata, *texts}


def test_installed_wheel_brings_configurations_and_weights(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*command, "--prefix", str(tmp_path / "env"), str(wheel)], check=True)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    work = tmp_path / "work"
    work.mkdir()

    def python(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=work,
            env=os.environ | {"PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    found = python("-c", "import elbow_core; print(elbow_core.__file__)")
    assert Path(found.strip()).is_relative_to(site)
    python("-m", "elbow_core.config")
    copied = {str(path.relative_to(work)) for path in work.rglob("*") if path.is_file()}
    assert copied == _files_of(ROOT, "configs")
    shipped = "from elbow_jax.training.initial.shipped import SHIPPED, read_shipped"
    assert python("-c", f"{shipped}; print(len([read_shipped(tag) for tag in SHIPPED]))") == "3\n"


def test_every_folder_of_configurations_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = settings["tool"]["setuptools"]["data-files"]
    folders = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("configs/*/*")}
    assert listed == {f"share/elbow-radiographs/{folder}": [f"{folder}/*"] for folder in folders}
