"""Reader of the elbow set: radiographs named after patient, finding and view."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.sources.listing import list_images, name_files
from elbow_core.sources.patterns import (
    PatientPattern,
    Pattern,
    match_patient,
    search_pattern,
)
from elbow_core.sources.scan_result import ScanResult


class FindingRule(StrictModel):
    """The finding of files with a matching name; the first matching rule applies."""

    pattern: Pattern
    """Regular expression, searched in the file's name without its suffix, case ignored."""
    finding: Annotated[str, Field(min_length=1)]
    """The finding in the manifest."""
    label: Literal[0, 1]
    """0 normal, 1 injury: an untreated fracture or a dislocation."""


class ViewRule(StrictModel):
    """The view of files with a matching name; the first matching rule applies."""

    pattern: Pattern
    """Regular expression, searched in the file's name without its suffix, case ignored."""
    view: Literal["ap", "lateral", "oblique"]
    """The projection."""


Rule = TypeVar("Rule", FindingRule, ViewRule)


class ElbowSource(StrictModel):
    """A folder of files named after patient, finding and view, as the elbow set of the paper."""

    kind: Literal["elbow"] = "elbow"
    rules: Annotated[tuple[FindingRule, ...], Field(min_length=1)]
    """In order: treated before fracture. A file without a matching rule is an error."""
    views: tuple[ViewRule, ...] = ()
    """In order. A file without a matching rule has no known view."""
    patient: PatientPattern
    """Searched in the path: groups ``patient`` and, if there are studies, ``study``."""
    body_part: str = "elbow"
    """The body part in the manifest."""


def scan(root: Path, config: ElbowSource) -> ScanResult:
    """Return a row per image file below ``root``, labelled by the rules.

    Raises `UserError` that lists all files without a finding, or all without a patient. Neither is
    guessed, since a wrong *normal* or a patient in two splits would not be noticed.
    """
    paths, rejected = list_images(root)
    rows: list[ManifestRow] = []
    without_finding, without_patient = [], []
    for path in paths:
        stem = PurePosixPath(path).stem
        rule = _first(config.rules, stem, "source.rules")
        ids = match_patient(config.patient, path, "source.patient")
        if rule is None:
            without_finding.append(path)
        if ids is None:
            without_patient.append(path)
        if rule is None or ids is None:
            continue
        view = _first(config.views, stem, "source.views")
        rows.append(
            ManifestRow(
                image_id=path,
                path=path,
                label=rule.label,
                split="",
                patient_id=ids[0],
                study_id=ids[1],
                view=view.view if view else "",
                body_part=config.body_part,
                finding=rule.finding,
                source=config.kind,
            )
        )
    if without_finding:
        raise UserError(f"{root}: no rule (add one) matches {name_files(without_finding)}")
    if without_patient:
        raise UserError(f"{root}: the patient pattern does not match {name_files(without_patient)}")
    return ScanResult(rows, rejected)


def _first(rules: tuple[Rule, ...], stem: str, key: str) -> Rule | None:
    for number, rule in enumerate(rules):
        if search_pattern(rule.pattern, stem, f"{key}.{number}"):
            return rule
    return None
