"""Find the image that a row of a table means: by path, by name, or by what its DICOM tags say."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from elbow_core.errors import RadiographError
from elbow_core.identity import normalise_id, normalise_image_id
from elbow_core.progress import track
from elbow_core.radiographs import IMAGE_SUFFIXES, read_tags_if_dicom
from elbow_core.sources.scan_result import Rejection
from elbow_core.sources.table.config import Key
from elbow_core.sources.table.ids import is_whole_number, without_zeros

_TAGS = {
    "sop_instance_uid": ("SOPInstanceUID", "instance_uid"),
    "accession_number": ("AccessionNumber", "accession_number"),
}
_EXAMPLES = 3
_LETTER, _DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class ImageFinder:
    """A way from a cell of a table to images."""

    find: Callable[[str], list[str]]
    """Return the paths that a text fits: none, one, or several where that is not clear."""
    what: str
    """What a cell states: ``name`` or the name of a tag."""
    examples: str
    """What the first images are found by, for messages."""
    unreadable: Sequence[Rejection] = ()
    """Files whose tags cannot be read."""


@dataclass(frozen=True, slots=True)
class FileIndex:
    """Paths of images by the texts with which a table may name them."""

    exact: dict[str, list[str]] = field(default_factory=dict)
    """By text in the form of `normalise_image_id`."""
    folded: dict[str, list[str]] = field(default_factory=dict)
    """By text in the form of `normalise_id`: Windows does not tell ``A.PNG`` from ``a.png``."""
    without_zeros: dict[str, list[str]] = field(default_factory=dict)
    """By texts of digits without their leading zeros."""

    def find(self, text: str) -> list[str]:
        """Return the paths that fit a text, several where it is not clear which is meant.

        Digits without a zero in front also fit ids with leading zeros, which a spreadsheet removes.
        """
        found = self.exact.get(normalise_image_id(text)) or self.folded.get(normalise_id(text), [])
        if is_whole_number(text):
            return list(dict.fromkeys([*found, *self.without_zeros.get(text, [])]))
        return found


def index_files(pairs: Iterable[tuple[str, str]]) -> FileIndex:
    """Return the index of pairs of text and path; a path may have several texts."""
    index = FileIndex()
    for text, path in pairs:
        _add(index.exact, normalise_image_id(text), path)
        _add(index.folded, normalise_id(text), path)
        if text.isascii() and text.isdigit():
            _add(index.without_zeros, without_zeros(text), path)
    return index


def find_by(key: Key, root: Path, paths: Sequence[str]) -> ImageFinder:
    """Return the finder of images at ``paths`` below ``root`` for a kind of column.

    Raises `MachineError` for a file that cannot be read where tags are needed.
    """
    return _by_file(root, paths) if key == "file" else _by_tag(root, paths, *_TAGS[key])


def form_of(text: str) -> str:
    """Return a text with 9 for each digit and A for each letter, since no message quotes a tag."""
    return _LETTER.sub("A", _DIGIT.sub("9", text))


def _by_file(root: Path, paths: Sequence[str]) -> ImageFinder:
    """Return a finder by path or name.

    A cell with a slash or backslash is a path from the root, or an absolute one below it; another
    is a name, at any depth. The suffix of an image may be left out.
    """
    names = [PurePosixPath(path).name for path in paths]
    by_path = index_files((text, path) for path in paths for text in _texts(path))
    by_name = index_files(
        (text, path) for path, name in zip(paths, names, strict=True) for text in _texts(name)
    )
    folders = {root.absolute(), root.resolve()}

    def find(text: str) -> list[str]:
        if "/" not in text and "\\" not in text:
            return by_name.find(text)
        path = PurePosixPath(text.replace("\\", "/"))
        for folder in folders:
            if path.is_relative_to(folder):
                path = path.relative_to(folder)
        return by_path.find(path.as_posix())

    return ImageFinder(find, "name", ", ".join(paths[:_EXAMPLES]))


def _by_tag(root: Path, paths: Sequence[str], tag: str, attribute: str) -> ImageFinder:
    values: list[tuple[str, str]] = []
    unreadable: list[Rejection] = []
    for path in track(paths, len(paths), "find by tags"):
        try:
            tags = read_tags_if_dicom(root / path)
        except RadiographError as error:
            unreadable.append(Rejection(path, str(error).removeprefix(f"{root / path}: ")))
            continue
        if tags is not None and (value := getattr(tags, attribute)):
            values.append((value, path))
    forms = ", ".join(form_of(value) for value, _ in values[:_EXAMPLES])
    examples = f"{len(values)} have one, of the form {forms}" if values else "none has one"
    return ImageFinder(index_files(values).find, tag, examples, unreadable)


def _texts(path: str) -> list[str]:
    """Return a path or name, also without the suffix of an image; that of a UID is a number."""
    stem, dot, suffix = path.rpartition(".")
    return [path, stem] if stem and f"{dot}{suffix}".lower() in IMAGE_SUFFIXES else [path]


def _add(index: dict[str, list[str]], text: str, path: str) -> None:
    paths = index.setdefault(text, [])
    if path not in paths:
        paths.append(path)
