"""Reader of MURA v1.1 (Rajpurkar et al., "MURA: Large Dataset for Abnormality Detection", 2018)."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.dataset import ManifestRow
from elbow_core.errors import UserError
from elbow_core.identity import normalise_image_id
from elbow_core.sources.listing import list_images
from elbow_core.sources.scan_result import Rejection, ScanResult
from elbow_core.tables import read_csv_rows

Part = Literal["elbow", "finger", "forearm", "hand", "humerus", "shoulder", "wrist"]

_PARTS: tuple[Part, ...] = ("elbow", "finger", "forearm", "hand", "humerus", "shoulder", "wrist")
_SPLITS = {"train": "train", "valid": "validation"}
_IMAGE = re.compile(
    r"(?P<split>train|valid)/XR_(?P<part>[A-Z]+)/(?P<patient>patient\d+)/"
    r"(?P<study>study\d+)_(?P<result>positive|negative)/[^/]+",
    re.ASCII,
)


class MuraSource(StrictModel):
    """MURA as downloaded; ``valid`` becomes the split *validation*."""

    kind: Literal["mura"] = "mura"
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = _PARTS
    """The body parts to use."""


def scan(root: Path, config: MuraSource) -> ScanResult:
    """Return a row per image of the wanted parts, labelled by the folder of its study.

    ``root`` is the folder ``MURA-v1.1`` or its parent. If MURA's own tables are present, images and
    studies that are in only one of table and folder are rejected; images of a study that folder and
    table, or two lines of the table, label differently are rejected as contradictions.

    Raises `UserError` for a missing folder, and a table that cannot be read.
    """
    candidates = (root, root / "MURA-v1.1")
    base = next((path for path in candidates if (path / "train").is_dir()), None)
    if base is None:
        raise UserError(f"{root}: contains neither train nor MURA-v1.1/train; is it MURA?")
    rows: list[ManifestRow] = []
    rejected: list[Rejection] = []
    for split in _SPLITS:
        if (base / split).is_dir():
            found = _scan_split(root, base, split, config)
            rows += found.rows
            rejected += found.rejected
    return ScanResult(rows, rejected)


def _scan_split(root: Path, base: Path, split: str, config: MuraSource) -> ScanResult:
    prefix = base.relative_to(root).as_posix().removeprefix(".")
    prefix = f"{prefix}/" if prefix else ""
    paths, rejected = list_images(root, f"{prefix}{split}")
    listed = _listed_images(base, split)
    studies = _listed_studies(base, split)
    rows = []
    for path in paths:
        image_id = path.removeprefix(prefix)
        match = _IMAGE.fullmatch(image_id)
        if match is None:
            rejected.append(Rejection(path, "is in a folder where MURA has no images"))
            continue
        part = match["part"].lower()
        if part not in config.parts:
            rejected.append(Rejection(path, f"shows the {part}, which is not among the parts"))
            continue
        if listed is not None and normalise_image_id(image_id) not in listed:
            rejected.append(Rejection(path, f"is not listed in {split}_image_paths.csv"))
            continue
        label = int(match["result"] == "positive")
        study = image_id.rpartition("/")[0]
        if studies is not None and study not in studies:
            rejected.append(Rejection(path, f"its study is not in {split}_labeled_studies.csv"))
            continue
        stated = {label} if studies is None else studies[study]
        if stated != {label}:
            reason = _contradiction(match["result"], stated, f"{split}_labeled_studies.csv")
            rejected.append(Rejection(path, reason, contradiction=True))
            continue
        rows.append(
            ManifestRow(
                image_id=image_id,
                path=path,
                label=label,
                split=_SPLITS[split],
                patient_id=match["patient"],
                study_id=f"{match['patient']}/{part}/{match['study']}",
                view="",
                body_part=part,
                finding="abnormal" if label else "normal",
                source="mura",
            )
        )
    wanted = tuple(f"{split}/XR_{part.upper()}/" for part in config.parts)
    present = {normalise_image_id(path.removeprefix(prefix)) for path in paths}
    present_studies = {path.rpartition("/")[0] for path in present}
    for name, entries, existing in (
        ("image_paths", listed or (), present),
        ("labeled_studies", studies or (), present_studies),
    ):
        rejected += [
            Rejection(f"{prefix}{entry}", f"is listed in {split}_{name}.csv but does not exist")
            for entry in sorted(set(entries) - existing)
            if entry.startswith(wanted)
        ]
    return ScanResult(rows, rejected)


def _listed_images(base: Path, split: str) -> set[str] | None:
    table = base / f"{split}_image_paths.csv"
    rows = _read_rows(table, split)
    if rows is None:
        return None
    for number, cells in rows:
        if len(cells) != 1:
            raise UserError(f"{table}:{number}: {','.join(cells)!r} is not one path")
    return {cells[0] for _, cells in rows}


def _contradiction(result: str, stated: set[int], table: str) -> str:
    """Return which two labels a study has, and where each is stated."""
    if len(stated) > 1:
        return f"its study has two labels: it is listed with 0 and with 1 in {table}"
    return f"its study has two labels: its folder is {result}, but {table} says {min(stated)}"


def _listed_studies(base: Path, split: str) -> dict[str, set[int]] | None:
    """Return the labels that the table gives each study; more than one is a contradiction."""
    table = base / f"{split}_labeled_studies.csv"
    rows = _read_rows(table, split)
    if rows is None:
        return None
    studies: dict[str, set[int]] = {}
    for number, (path, *label) in rows:
        if label not in (["0"], ["1"]):
            line = ",".join((path, *label))
            raise UserError(f"{table}:{number}: {line!r} does not end in ,0 or ,1")
        studies.setdefault(path.rstrip("/"), set()).add(int(label[0]))
    return studies


def _read_rows(table: Path, split: str) -> list[tuple[int, list[str]]] | None:
    """Return a table's rows with their lines, each path cut to start at the split's folder.

    A first row without a path is a header, and is skipped.
    """
    if not table.is_file():
        return None
    rows = []
    for number, (path, *others) in read_csv_rows(table):
        match = re.search(rf"(?:^|/)({split}/.*)", normalise_image_id(path))
        if match:
            rows.append((number, [match[1], *others]))
        elif number > 1:
            line = ",".join((path, *others))
            raise UserError(f"{table}:{number}: {line!r} is not a path in {split}")
    if not rows:
        raise UserError(f"{table}: lists nothing; delete it or download it again")
    return rows
