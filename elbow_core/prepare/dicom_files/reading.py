"""The pass over the heads of all files: the tags of those that are DICOM, selected and reduced."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from sys import intern

from elbow_core.dataset import ManifestRow
from elbow_core.errors import RadiographError
from elbow_core.prepare.dicom_files.selection import reason_against
from elbow_core.prepare.dicom_files.settings import Attribute, DicomSettings
from elbow_core.prepare.rejections import reason_of
from elbow_core.processes import WorkerPool
from elbow_core.progress import track
from elbow_core.radiographs import DicomTags, read_tags_if_dicom

_Attributes = tuple[tuple[Attribute, str], ...]

_OLDEST = 90  # Higher ages identify (45 CFR 164.514(b)(2)(i)(C)): all of them count as this one.


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What `prepare` uses of the tags of one DICOM file; unknown values are empty."""

    reason: str = ""
    """Why the file is left out; then nothing else is known."""
    patient: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    study: str = field(default="", repr=False)
    view: str = ""
    body_part: str = ""
    """In lower case, as in the manifest."""
    attributes: _Attributes = ()
    """Sorted by name."""
    has_annotation: bool = False
    """A burnt-in annotation, by its tag."""


def read_facts(
    pool: WorkerPool,
    root: Path,
    rows: Sequence[ManifestRow],
    settings: DicomSettings,
    identity: bool,
    strict: bool,
) -> list[FileFacts | None]:
    """Return the facts of each row's file, None for one that is not DICOM.

    The head of each file is read alone. Identifying tags leave the process that read them only
    with ``identity``. If ``strict``, raises `RadiographError` for the first damaged header. Raises
    `MachineError` for a file that cannot be read.
    """
    read = partial(_read_file, root, settings, identity, strict)
    results = pool.map(read, [row.path for row in rows], batch=32)
    attributes: dict[_Attributes, _Attributes] = {}
    return [
        facts and _shared(facts, attributes) for facts in track(results, len(rows), "read headers")
    ]


def _read_file(
    root: Path, settings: DicomSettings, identity: bool, strict: bool, path: str
) -> FileFacts | None:
    try:
        tags = read_tags_if_dicom(root / path)
    except RadiographError as error:
        if strict:
            raise
        return FileFacts(reason_of(error, path))
    if tags is None:
        return None
    if reason := reason_against(tags, settings.select):
        return FileFacts(reason)
    return FileFacts(
        patient=tags.patient_id if identity else "",
        issuer=tags.issuer if identity else "",
        study=tags.study_uid if identity else "",
        view=tags.view if settings.view else "",
        body_part=tags.body_part.lower() if settings.view else "",
        attributes=_attributes(tags, settings.attributes),
        has_annotation=tags.burned_in == "YES",
    )


def _attributes(tags: DicomTags, wanted: Sequence[Attribute]) -> _Attributes:
    values: dict[Attribute, str] = {
        "age": str(min(int(tags.age), _OLDEST)) if tags.age else "",
        "sex": tags.sex,
        "laterality": tags.laterality,
        "manufacturer": tags.manufacturer,
        "model": tags.model,
        "year": tags.year,
        "body_part": tags.body_part.lower(),
    }
    return tuple((name, values[name]) for name in sorted(set(wanted)) if values[name])


def _shared(facts: FileFacts, known: dict[_Attributes, _Attributes]) -> FileFacts:
    """Return facts whose repeated texts share memory: each came from another process by itself.

    ``known`` keeps the attributes of earlier files: many files have the same.
    """
    attributes = known.setdefault(facts.attributes, facts.attributes)
    return FileFacts(
        intern(facts.reason),
        intern(facts.patient),
        intern(facts.issuer),
        intern(facts.study),
        intern(facts.view),
        intern(facts.body_part),
        attributes,
        facts.has_annotation,
    )
