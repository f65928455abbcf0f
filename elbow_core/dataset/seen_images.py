"""The images that a model learnt from, as digests in a file beside its weights.

seen_images.csv   version,key,split,image,patient

A row for each image of the training and validation sets of a run and of all runs that its first
weights come from, so that a later comparison needs none of them. `key` is empty, or the fingerprint
of the key (`id_key`) under which the digests were made: without that key nobody can test whether a
file or a patient is among them. The digests of plain data can be tested by anyone who has the file
or guesses the patient's id. A row of the split `unknown` says that weights of unknown origin came
in.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from elbow_core.dataset.leakage import first_few, patient_of, require_digests
from elbow_core.dataset.manifest import ManifestRow
from elbow_core.dataset.prepared import PreparedData
from elbow_core.errors import ConfigError, ManifestError
from elbow_core.files import read_regular
from elbow_core.runs import read_record

SEEN_FILE = "seen_images.csv"
LEAKS_INTO = {"train": ("validation", "test"), "validation": ("test",)}
"""A split that a model learnt from, and the splits that must not share its images: training images
leak into validation and test; validation images, which chose the weights, into the test."""

_RECORDED = "seen_images_sha256"
_VERSION = "1"
_HEADER = "version,key,split,image,patient"
_UNKNOWN = f"{_VERSION},,unknown,,"
_ROW = re.compile(r"1,([0-9a-f]{64}|),(train|validation),([0-9a-f]{64}),([0-9a-f]{64})")
_MAX_BYTES = 1 << 28  # of 1.7 million images


class SeenImage(NamedTuple):
    """One image that a model learnt from."""

    key: str
    """Fingerprint of the key of both digests; empty for plain ones."""
    split: str
    """train or validation."""
    image: str
    """Digest of the file, 64 hexadecimal digits."""
    patient: str
    """Digest of the patient and its source, 64 hexadecimal digits."""


@dataclass(frozen=True)
class SeenImages:
    """All images that a model learnt from, as far as they are known."""

    images: frozenset[SeenImage]
    complete: bool
    """False if the first weights came from somewhere that does not list its images."""

    def __or__(self, other: "SeenImages") -> "SeenImages":
        """Return what a model learnt from that both came into."""
        return SeenImages(self.images | other.images, self.complete and other.complete)

    def to_bytes(self) -> bytes:
        """Return the content of the file; equal sets give equal bytes."""
        rows = sorted(",".join((_VERSION, *image)) for image in self.images)
        lines = [_HEADER, *([] if self.complete else [_UNKNOWN]), *rows]
        return "".join(f"{line}\n" for line in lines).encode()

    def for_run(self) -> tuple[dict[str, str], dict[str, bytes]]:
        """Return the entry of a run's record, and the file of a run, that `seen_by_run` reads."""
        content = self.to_bytes()
        return {_RECORDED: hashlib.sha256(content).hexdigest()}, {SEEN_FILE: content}


NOTHING_SEEN = SeenImages(frozenset(), True)
"""Of random or published weights."""
UNKNOWN_SEEN = SeenImages(frozenset(), False)
"""Of weights that do not list what they learnt from."""


def parse_seen_images(content: bytes) -> SeenImages:
    """Return the images in a file; raises `ValueError` unless `to_bytes` could have written it."""
    text = content.decode("ascii", "replace")
    if not (text.startswith(f"{_HEADER}\n") and text.endswith("\n")):
        raise ValueError(f"is not a list of images under {_HEADER}")
    lines = text.split("\n")[1:-1]
    version = lines[0].partition(",")[0] if lines else ""
    if version.isdecimal() and version != _VERSION:
        raise ValueError(f"has version {version[:20]} and not {_VERSION}; update the program")
    complete = lines[:1] != [_UNKNOWN]
    images = set()
    for number, line in enumerate(lines[not complete :], 2 + (not complete)):
        row = _ROW.fullmatch(line)
        if row is None:
            raise ValueError(f"line {number} is not of the form {_HEADER}")
        images.add(SeenImage(*row.groups()))
    found = SeenImages(frozenset(images), complete)
    if found.to_bytes() != content:
        raise ValueError("its lines are not in order, or repeated")
    return found


def read_seen_images(path: Path, sha256: str) -> SeenImages:
    """Read the images in a file.

    Args:
        path: of the file.
        sha256: of its content, in hexadecimal.

    Raises:
        ConfigError: if it cannot be read, or is another file.
    """
    try:
        content = read_regular(path, _MAX_BYTES)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(
                "is not the file that was written with the model (its SHA-256 differs)"
            )
        return parse_seen_images(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; restore it") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; restore it") from error


def seen_by_run(run: Path) -> SeenImages | None:
    """Return what the model of an unfinished run will have learnt from.

    None for a run that an earlier version began.

    Raises:
        ConfigError: if the list is not the one that the run began with.
    """
    digest = read_record(run).get(_RECORDED)
    return None if digest is None else read_seen_images(run / SEEN_FILE, str(digest))


def images_learnt_from(data: PreparedData) -> SeenImages:
    """Return the training and validation images of prepared data.

    Raises:
        ConfigError: if an earlier version prepared the data with a key that it did not record.
        ManifestError: if an image has no digest.
    """
    key = _key_of(data)
    digests = _image_digests(data, key)
    return SeenImages(
        frozenset(
            SeenImage(key, row.split, digest, patient_digest(row))
            for row, digest in zip(data.rows, digests, strict=True)
            if row.split in LEAKS_INTO
        ),
        True,
    )


def refuse_seen(
    seen: SeenImages, data: PreparedData, splits: Iterable[str], model: str
) -> list[str]:
    """Refuse to judge a model on images or patients that it learnt from.

    Images are compared by content and patients by id within a source, so that names, labels and
    splits count for nothing. Images of plain data are also compared with those of data that have a
    key; their patients, which have hashed ids there, are not.

    Args:
        seen: what the model learnt from.
        data: prepared data.
        splits: the splits of `data` that are to be judged: see `LEAKS_INTO`.
        model: its name in messages.

    Returns:
        A line for each part of the comparison that was impossible.

    Raises:
        ManifestError: naming the images and the splits.
        ConfigError: if none of the images of an earlier data set can be compared, since other keys
            made the digests.
    """
    key = _key_of(data)
    if hidden := sum(image.key not in ("", key) for image in seen.images):
        raise ConfigError(
            f"{data.directory}: cannot be compared with {hidden} images that {model} learnt from, "
            "since those were prepared with another id_key, which hides them; prepare these data "
            "with that id_key"
        )
    for split in dict.fromkeys(splits):
        if found := list(_learnt_from(seen, data, key, split)):
            listed = first_few(f"images of the split {split!r}", found)
            raise ManifestError(f"{data.directory}: leak: {model} learnt from {listed}")
    lines = []
    if not seen.complete:
        lines.append(
            f"{model}: its first weights do not say what they learnt from, so that this was not "
            f"compared with {data.directory}"
        )
    if key and (plain := sum(image.key == "" for image in seen.images)):
        lines.append(
            f"{data.directory}: has hashed ids, so that its patients were not compared with those "
            f"of {plain} images of plain data that {model} learnt from; its images were"
        )
    return lines


def _learnt_from(seen: SeenImages, data: PreparedData, key: str, split: str) -> Iterator[str]:
    """Yield a description of each image of a split that is known, or whose patient is."""
    images: dict[tuple[str, str], set[str]] = defaultdict(set)
    patients: dict[str, set[str]] = defaultdict(set)
    for image in seen.images:
        if split in LEAKS_INTO[image.split]:
            images[image.key, image.image].add(image.split)
            if image.key == key:
                patients[image.patient].add(image.split)
    digests = {kind: _image_digests(data, kind) for kind in dict.fromkeys((key, ""))}
    for position in map(int, data.positions(split)):
        row = data.rows[position]
        kinds = [images.get((kind, found[position]), set()) for kind, found in digests.items()]
        if learnt := set().union(*kinds):
            yield f"{row.image_id} (in {' and '.join(sorted(learnt))})"
        elif learnt := patients.get(patient_digest(row)):
            yield f"{row.image_id} (patient {row.patient_id} in {' and '.join(sorted(learnt))})"


def patient_digest(row: ManifestRow) -> str:
    """Return the SHA-256 of a patient within its source."""
    return hashlib.sha256("\0".join(("patient", *patient_of(row))).encode()).hexdigest()


def _key_of(data: PreparedData) -> str:
    if data.archive.key is None:
        raise ConfigError(
            f"{data.directory}: an earlier version prepared it with an id_key and did not record "
            "what comparisons need; prepare it again"
        )
    return data.archive.key


def _image_digests(data: PreparedData, key: str) -> Sequence[str]:
    """Return the digest of each image's file: plain, or under the key of the data."""
    if key:
        return data.archive.digests
    require_digests(data.rows)
    return [row.sha256 for row in data.rows]
