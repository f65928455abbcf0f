"""What `prepare` starts from: the rows of a source with what the tags of DICOM files say."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from elbow_core.dataset import ManifestRow, Region, validate_manifest
from elbow_core.errors import ManifestError, RadiographError, UserError
from elbow_core.prepare.config import DataConfig
from elbow_core.prepare.dicom_files import (
    DISAGREEMENTS,
    Disagreement,
    FileFacts,
    apply_facts,
    describe_disagreements,
    read_facts,
)
from elbow_core.prepare.private_names import PrivateNames
from elbow_core.printable import one_line
from elbow_core.processes import WorkerPool
from elbow_core.sources import Rejection, ScanResult, scan

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Inputs:
    """The images to prepare, and all that was found out before their pixels are read."""

    rows: Sequence[ManifestRow]
    """Their paths lead to the files, also where ids are hashed."""
    rejected: Sequence[Rejection]
    regions: Mapping[str, Sequence[Region]]
    has_dicom: bool
    disagreements: Sequence[Disagreement]
    ungrouped: frozenset[str]
    """Paths of the images that count as patients of their own."""


def scan_source(config: DataConfig, names: PrivateNames | None) -> ScanResult:
    """Return the checked rows of the source; with ``names``, their paths are in the private table.

    Raises `UserError`, also for a file with two labels if the settings are strict.
    """
    found = scan(config.root, config.source, config.workers)
    refuse_contradictions(config, found.rejected)
    validate_manifest(found.rows, config.root)
    if names is None:
        return found
    names.record([row.path for row in found.rows] + [entry.path for entry in found.rejected])
    # The order of names says something about them.
    return replace(found, rows=sorted(found.rows, key=lambda row: names.hide(row.path)))


def scan_inputs(config: DataConfig, say: Callable[[str], object] = print) -> Inputs:
    """Return what `prepare` starts from, with plain ids and paths; nothing is written.

    Raises `UserError` as `read_inputs` and the source do; messages name files.
    """
    found = scan_source(config, None)
    with WorkerPool(config.workers) as pool:
        return read_inputs(config, pool, found, None, say)


def read_inputs(
    config: DataConfig,
    pool: WorkerPool,
    found: ScanResult,
    names: PrivateNames | None,
    say: Callable[[str], object],
) -> Inputs:
    """Read the tags of all DICOM files, and join them with what the source says.

    Says in a line each how many DICOM files, patients and studies there are, which files have no
    PatientID, how many have burnt-in annotations, how often tags and source contradict each other,
    and that images count as patients of their own.

    Raises `RadiographError` if the settings are strict and a header is damaged or has no PatientID,
    and `UserError` if no file is left.
    """
    identity = config.identity_from_tags
    facts = read_facts(pool, config.root, found.rows, config.dicom, identity, config.strict)
    pairs = list(zip(found.rows, facts, strict=True))
    left_out = [Rejection(row.path, one.reason) for row, one in pairs if one and one.reason]
    kept = [(row, one) for row, one in pairs if not (one and one.reason)]
    if not kept:
        raise UserError(
            f"{config.root}: all {len(pairs)} images were left out by their DICOM tags; the first "
            f"{left_out[0].reason}; change dicom.select"
        )
    rows, facts = [row for row, _ in kept], [one for _, one in kept]
    joined = apply_facts(rows, facts, not found.without_patients, identity)
    hide = names.hide if names else str
    if joined.without_id and config.strict:
        raise RadiographError(
            f"{config.root / joined.without_id[0]}: has no PatientID (0010,0020), one of "
            f"{len(joined.without_id)} such DICOM files; without --strict they are used"
        )
    for line in _describe(config, facts, joined.without_id, joined.patients, hide):
        say(line)
    if joined.disagreements:
        say(
            f"{len(joined.disagreements)} times DICOM tags contradict the source "
            f"({describe_disagreements(joined.disagreements)}); "
            f"{config.out / DISAGREEMENTS} lists them"
        )
    if joined.ungrouped:
        say(describe_ungrouped(len(joined.ungrouped), len(rows), _advice(config, found, facts)))
    return Inputs(
        joined.rows,
        [*found.rejected, *left_out],
        found.regions,
        any(facts) or bool(left_out),
        joined.disagreements,
        frozenset(joined.ungrouped),
    )


def refuse_contradictions(config: DataConfig, rejected: Sequence[Rejection]) -> None:
    """Raise `ManifestError` for the first file with both labels, if the settings are strict."""
    first = next((entry for entry in rejected if entry.contradiction), None)
    if config.strict and first is not None:
        raise ManifestError(f"{config.root / first.path}: {first.reason}")


def hide_paths(rows: Sequence[ManifestRow], names: PrivateNames | None) -> Sequence[ManifestRow]:
    """Return rows as others may see them."""
    return [replace(row, path=names.hide(row.path)) for row in rows] if names else rows


def describe_ungrouped(images: int, total: int, advice: str) -> str:
    """Return the line that says that images count as patients of their own."""
    which = "each image counts" if images == total else f"each of {images} images counts"
    return (
        f"patients unknown: {which} as its own patient, so one patient's images may be in two "
        f"splits and intervals are too narrow; {advice}"
    )


def _describe(
    config: DataConfig,
    facts: Sequence[FileFacts | None],
    without_id: Sequence[str],
    patients: int,
    hide: Callable[[str], str],
) -> Iterable[str]:
    known = [one for one in facts if one is not None]
    if patients:
        yield f"{len(known)} DICOM files of {patients} patients, by their tags"
    if without_id:
        shown = ", ".join(one_line(hide(path)) for path in without_id[:_NAMED])
        more = f" and {len(without_id) - _NAMED} more" if len(without_id) > _NAMED else ""
        yield f"{len(without_id)} DICOM files have no PatientID (0010,0020): {shown}{more}"
    if annotated := sum(one.has_annotation for one in known):
        yield (
            f"{annotated} images have burnt-in annotations by their tag (0028,0301); "
            "dicom.select.burned_in: false leaves them out"
        )


def _advice(config: DataConfig, found: ScanResult, facts: Sequence[FileFacts | None]) -> str:
    if not any(facts):
        return found.without_patients
    if config.identity_from_tags:
        return "name their patients in the source, or leave these files out"
    off = "" if config.dicom.identity is None else " and leave out dicom.identity"
    return f"set id_key{off}, so that DICOM tags say whose they are; or {found.without_patients}"
