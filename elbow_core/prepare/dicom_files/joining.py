"""Join what the tags of DICOM files say with what the source says of the same images."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from elbow_core.dataset import ManifestRow
from elbow_core.identity import normalise_id
from elbow_core.prepare.dicom_files.disagreements import Disagreement, conflicting
from elbow_core.prepare.dicom_files.reading import FileFacts

_SEPARATOR = "\\"  # between issuer and id: no value of a tag contains it


@dataclass(frozen=True, slots=True)
class Joined:
    """The rows that are used, with identity, view and attributes of the tags."""

    rows: list[ManifestRow]
    disagreements: list[Disagreement]
    without_id: list[str]
    """Paths of DICOM files without a PatientID; none where identity is not read."""
    ungrouped: list[str]
    """Paths of the images that count as patients of their own, since nothing says whose they are"""
    patients: int
    """Number of patients by their tags; 0 where identity is not read."""


def apply_facts(
    rows: Sequence[ManifestRow],
    facts: Sequence[FileFacts | None],
    source_knows_patients: bool,
    identity: bool,
) -> Joined:
    """Return the rows with what the tags say; ``facts`` are of the same files.

    The tags decide patient and study, the source decides all else: the tags give a view, a body
    part or an attribute only where the source gives none. A file without PatientID keeps the
    patient of the source, but joins the patient whom the tags of the source's other files of that
    patient name, if they name one alone.
    """
    known = [one or FileFacts() for one in facts]
    found = [_describe(row, one) for row, one in zip(rows, known, strict=True)]
    disagreements = _contradictions(rows, known)
    if not identity:
        own = [] if source_knows_patients else [row.path for row in rows]
        return Joined(found, disagreements, [], own, 0)
    plain = [normalise_id(row.patient_id) if source_knows_patients else "" for row in rows]
    patients = patients_of(known)
    identified = {patient for patient in patients if patient}
    disagreements += _regrouped(rows, known, plain, patients)
    patients = _with_those_of_the_source(patients, plain)
    for position, (row, one) in enumerate(zip(found, known, strict=True)):
        patient = patients[position]
        if patient:
            found[position] = replace(row, patient_id=patient, study_id=one.study or row.study_id)
    return Joined(
        found,
        disagreements,
        [row.path for row, one in zip(rows, facts, strict=True) if one and not one.patient],
        [
            row.path
            for row, patient, named in zip(rows, patients, plain, strict=True)
            if not (patient or named)
        ],
        len(identified),
    )


def patients_of(facts: Sequence[FileFacts]) -> list[str]:
    """Return the patient of each file by its tags, normalised; empty without PatientID.

    Two issuers may give one id to two patients. But an issuer counts only for an id that no file
    has without one: such a file may be of any of them. A study has one patient: ids that occur in
    one study are one patient, since a wrong or corrected id must not bring a patient into two
    splits.
    """
    keys = [(normalise_id(one.issuer), normalise_id(one.patient)) for one in facts]
    uncertain = {patient for issuer, patient in keys if not issuer}
    named = [
        patient if not patient or patient in uncertain else f"{issuer}{_SEPARATOR}{patient}"
        for issuer, patient in keys
    ]
    parent = {name: name for name in named}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for name, one in zip(named, facts, strict=True):
        if name and (study := normalise_id(one.study)):
            # The smaller is the representative, whatever the order of the files.
            low, high = sorted((find(first.setdefault(study, name)), find(name)))
            parent[high] = low
    return [find(name) for name in named]


def _with_those_of_the_source(patients: Sequence[str], plain: Sequence[str]) -> list[str]:
    named: dict[str, set[str]] = defaultdict(set)
    for patient, source in zip(patients, plain, strict=True):
        if patient and source:
            named[source].add(patient)
    return [
        patient or (next(iter(named[source])) if len(named.get(source, ())) == 1 else "")
        for patient, source in zip(patients, plain, strict=True)
    ]


def _regrouped(
    rows: Sequence[ManifestRow],
    facts: Sequence[FileFacts],
    plain: Sequence[str],
    patients: Sequence[str],
) -> list[Disagreement]:
    """Return the images that tags and source put into different groups, and doubtful studies."""
    by_tag = [normalise_id(one.patient) for one in facts]
    found = [
        Disagreement(rows[at].path, "patient", plain[at], by_tag[at], "tag")
        for at in conflicting(plain, by_tag)
    ]
    sources = [
        normalise_id(row.study_id) if name else "" for row, name in zip(rows, plain, strict=True)
    ]
    studies = [normalise_id(one.study) for one in facts]
    found += [
        Disagreement(rows[at].path, "study", sources[at], studies[at], "tag")
        for at in conflicting(sources, studies, finer=True)
    ]
    ids_of: dict[str, set[str]] = defaultdict(set)
    for study, patient in zip(studies, by_tag, strict=True):
        if study and patient:
            ids_of[study].add(patient)
    found += [
        Disagreement(row.path, "patients of one study", patients[at], by_tag[at], "tag")
        for at, row in enumerate(rows)
        if len(ids_of.get(studies[at], ())) > 1 and by_tag[at]
    ]
    return found


def _describe(row: ManifestRow, facts: FileFacts) -> ManifestRow:
    attributes = row.attributes
    if attributes and facts.attributes:
        attributes = tuple(sorted({**dict(facts.attributes), **dict(attributes)}.items()))
    return replace(
        row,
        view=row.view or facts.view,
        body_part=row.body_part or facts.body_part,
        attributes=attributes or facts.attributes,  # these are shared by many files
    )


def _contradictions(rows: Sequence[ManifestRow], facts: Sequence[FileFacts]) -> list[Disagreement]:
    found = []
    for row, one in zip(rows, facts, strict=True):
        stated = dict(row.attributes)
        for name, source, tag in (
            ("view", row.view, one.view),
            ("body part", row.body_part, one.body_part),
            *((name, stated.get(name, ""), value) for name, value in one.attributes),
        ):
            if source and tag and normalise_id(source) != normalise_id(tag):
                found.append(Disagreement(row.path, name, source, tag, "source"))
    return found
