"""Checks that no patient and no image is in two sets; patients are compared by `normalise_id`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import ManifestError
from elbow_core.identity import normalise_id

_MAX_NAMED = 5


def check_leakage(rows: Iterable[ManifestRow]) -> None:
    """Raise `ManifestError` if a patient, or a byte-identical image, is in two splits.

    Images without a digest are compared by patient only.
    """
    patients: dict[str, dict[str, ManifestRow]] = defaultdict(dict)
    images: dict[str, dict[str, ManifestRow]] = defaultdict(dict)
    for row in rows:
        patients[normalise_id(row.patient_id)].setdefault(row.split, row)
        if row.sha256:
            images[row.sha256].setdefault(row.split, row)
    shared = [
        f"{_spellings(images_of.values())} ({_images_by_split(images_of)})"
        for images_of in patients.values()
        if len(images_of) > 1
    ]
    if shared:
        raise ManifestError(f"leak: {first_few('patients in two splits', shared)}")
    copies = [_images_by_split(copies_of) for copies_of in images.values() if len(copies_of) > 1]
    if copies:
        raise ManifestError(f"leak: {first_few('identical images in two splits', copies)}")


def check_disjoint(
    pretraining_rows: Iterable[ManifestRow], target_rows: Iterable[ManifestRow]
) -> None:
    """Raise `ManifestError` if the two sets share an image or a patient.

    Patients are compared within a source: patient 12 of another hospital is another patient. The
    name of the source is compared as an id. Every row needs its digest, as in a prepared manifest.
    """
    target = list(target_rows)
    pretraining = list(pretraining_rows)
    require_digests((*pretraining, *target))
    images = {row.sha256: row for row in target}
    patients = {patient_of(row): row for row in target}
    copies = [
        f"{row.image_id} is {images[row.sha256].image_id}"
        for row in pretraining
        if row.sha256 in images
    ]
    if copies:
        raise ManifestError(f"leak: {first_few('pretraining images in the target set', copies)}")
    shared = sorted(
        {
            _spellings((row, patients[patient_of(row)]))
            for row in pretraining
            if patient_of(row) in patients
        }
    )
    if shared:
        raise ManifestError(f"leak: {first_few('pretraining patients in the target set', shared)}")


def find_contradictions(rows: Iterable[ManifestRow]) -> dict[str, str]:
    """Map each image that has a byte-identical copy with the other label to that copy's id."""
    first_id: dict[tuple[str, int], str] = {}
    rows = [row for row in rows if row.sha256]
    for row in rows:
        first_id.setdefault((row.sha256, row.label), row.image_id)
    return {
        row.image_id: first_id[row.sha256, 1 - row.label]
        for row in rows
        if (row.sha256, 1 - row.label) in first_id
    }


def require_digests(rows: Iterable[ManifestRow]) -> None:
    """Raise `ManifestError` for an image without a digest."""
    for row in rows:
        if not row.sha256:
            raise ManifestError(f"{row.image_id}: has no sha256; use prepared manifests")


def patient_of(row: ManifestRow) -> tuple[str, str]:
    """Return a patient within its source, as patients of two data sets are compared."""
    return normalise_id(row.source), normalise_id(row.patient_id)


def first_few(problem: str, found: Sequence[str]) -> str:
    """Return the number of what was found, its description, and the first few."""
    more = f"; and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    return f"{len(found)} {problem}: {'; '.join(found[:_MAX_NAMED])}{more}"


def _spellings(rows: Iterable[ManifestRow]) -> str:
    """Return the id of a patient; if it is written in several ways, all of them in ASCII."""
    found = list(dict.fromkeys(row.patient_id for row in rows))
    return found[0] if len(found) == 1 else " = ".join(map(ascii, found))


def _images_by_split(images: Mapping[str, ManifestRow]) -> str:
    return ", ".join(f"{row.image_id} in {split or 'no split'}" for split, row in images.items())
