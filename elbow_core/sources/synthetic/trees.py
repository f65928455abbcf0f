"""The synthetic source: trees of procedural radiographs, named as a hospital or MURA names its own.

`write_elbow_tree` gives a flat folder in which each file is named after its finding and its view,
`p0012_s1_supracondylar_fracture_lateral.png`. `write_mura_tree` gives the layout of MURA (Rajpurkar
et al., 2018) with its four headerless tables. Each picture is a function of (seed, patient, study,
image), so any number of workers writes the same bytes and a killed run can be resumed.
"""

import functools
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from elbow_core.errors import UserError
from elbow_core.sources.synthetic.anatomy import draw_anatomy
from elbow_core.sources.synthetic.injury import FINDINGS, INJURIES, NORMALS
from elbow_core.sources.synthetic.radiograph import VIEWS, render_radiograph

__all__ = [
    "FINDINGS",
    "INJURIES",
    "NORMALS",
    "RECORD",
    "VIEWS",
    "label_of",
    "render_radiograph",
    "write_elbow_tree",
    "write_mura_tree",
]

GENERATOR = 3  # raise it when the pixels or names change: an older tree is then not taken for new
RECORD = "synthetic.json"
VALID_SHARE = 0.1

ELBOW_INJURIES = {
    "supracondylar_fracture": 0.24,
    "lateral_condyle_fracture": 0.16,
    "radial_head_fracture": 0.20,
    "olecranon_fracture": 0.18,
    "dislocation": 0.12,
    "fracture_dislocation": 0.10,
}
ELBOW_NORMALS = {
    "normal": 0.52,
    "contusion": 0.16,
    "treated_fracture_plate": 0.11,
    "treated_fracture_cast": 0.11,
    "healed_fracture": 0.10,
}
FOLLOW_UPS = ("treated_fracture_plate", "treated_fracture_cast", "healed_fracture")
MURA_PARTS = {"elbow": 0.6, "forearm": 0.2, "humerus": 0.2}


@dataclass(frozen=True)
class Image:
    """One picture to draw: its path in the tree and all that its pixels depend on."""

    path: str
    key: tuple[int, int, int, int]  # seed, patient, study, image
    part: str
    view: str
    finding: str
    size: int


def label_of(finding: str) -> int:
    """Give 1 for an untreated fracture or a dislocation, 0 for everything else."""
    if finding not in FINDINGS:
        raise ValueError(f"{finding!r} is not one of {', '.join(FINDINGS)}")
    return int(finding in INJURIES)


def write_elbow_tree(
    root: Path, patients: int, seed: int, workers: int = 1, size: int = 360
) -> None:
    """Write a folder of elbows, long side about `size` pixels; 45 of 100 pictures show an injury.

    A quarter of the patients have JPEGs, the rest PNGs. An injured patient may come back later,
    treated or healed. A complete tree of the same settings is left as it is. Raises UserError if
    the folder holds anything else, or if a setting is out of range.
    """
    plan = functools.partial(_plan_elbow_patient, seed=seed, size=size)
    settings = {"tree": "elbow", "patients": patients, "seed": seed, "size": size}
    _write_tree(Path(root), settings, plan, {}, workers)


def write_mura_tree(
    root: Path, patients: int, seed: int, workers: int = 1, size: int = 320
) -> None:
    """Write `MURA-v1.1` under `root`: elbows, forearms and humeri; positive is any abnormality.

    The last tenth of the patients is `valid`. Raises UserError as `write_elbow_tree` does.
    """
    plan = functools.partial(_plan_mura_patient, seed=seed, size=size, patients=patients)
    settings = {"tree": "mura", "patients": patients, "seed": seed, "size": size}
    if patients < 2:
        raise UserError(f"synthetic MURA tree: patients is {patients}; it needs at least 2")
    tables: dict[str, str] = {}
    for split in ("train", "valid"):
        paths = [
            i.path for n in range(1, patients + 1) for i in plan(n) if i.path.startswith(split)
        ]
        studies = dict.fromkeys(path.rpartition("/")[0] + "/" for path in paths)
        positive = ((study, int(study.endswith("positive/"))) for study in studies)
        tables[f"{split}_image_paths.csv"] = "".join(f"MURA-v1.1/{path}\n" for path in paths)
        tables[f"{split}_labeled_studies.csv"] = "".join(
            f"MURA-v1.1/{study},{label}\n" for study, label in positive
        )
    _write_tree(Path(root) / "MURA-v1.1", settings, plan, tables, workers)


def _patient_rng(seed: int, patient: int) -> np.random.Generator:
    # Studies count from 1, so this key is never that of a picture.
    return np.random.default_rng([seed, patient, 0, 0])


def _draw(rng: np.random.Generator, weights: dict[str, float]) -> str:
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))


def _plan_elbow_patient(patient: int, seed: int, size: int) -> list[Image]:
    rng = _patient_rng(seed, patient)
    draw_anatomy(rng)  # `_draw_image` draws the same patient from the same key
    findings = [_draw(rng, ELBOW_INJURIES if rng.random() < 0.52 else ELBOW_NORMALS)]
    if findings[0].endswith("fracture") and label_of(findings[0]) and rng.random() < 0.35:
        findings.append(str(rng.choice(FOLLOW_UPS)))
    suffix = "jpg" if rng.random() < 0.25 else "png"
    images = []
    for study, finding in enumerate(findings, start=1):
        views = VIEWS if rng.random() < 0.8 else (str(rng.choice(VIEWS)),)
        for number, view in enumerate(views, start=1):
            path = f"p{patient:04d}_s{study}_{finding}_{view}.{suffix}"
            key = (seed, patient, study, number)
            images.append(Image(path, key, "elbow", view, finding, _vary(size, rng)))
    return images


def _plan_mura_patient(patient: int, seed: int, size: int, patients: int) -> list[Image]:
    rng = _patient_rng(seed, patient)
    draw_anatomy(rng)
    train = patients - max(1, round(VALID_SHARE * patients))
    split = "train" if patient <= train else "valid"
    part = _draw(rng, MURA_PARTS)
    images = []
    for study in range(1, 2 + int(rng.random() < 0.08)):
        positive = rng.random() < 0.42
        finding = _draw(rng, _abnormal(part)) if positive else "normal"
        folder = f"{split}/XR_{part.upper()}/patient{patient:05d}"
        folder += f"/study{study}_{'positive' if positive else 'negative'}"
        views = VIEWS if rng.random() < 0.8 else (*VIEWS, str(rng.choice(VIEWS)))
        for number, view in enumerate(views, start=1):
            key = (seed, patient, study, number)
            path = f"{folder}/image{number}.png"
            images.append(Image(path, key, part, view, finding, _vary(size, rng)))
    return images


def _abnormal(part: str) -> dict[str, float]:
    injuries = ELBOW_INJURIES if part == "elbow" else {"shaft_fracture": 1.0}
    others = {name: 2.0 * share for name, share in ELBOW_NORMALS.items() if name != "normal"}
    return injuries | others


def _vary(size: int, rng: np.random.Generator) -> int:
    return round(size * rng.uniform(0.88, 1.12))


def _draw_image(root: Path, image: Image) -> None:
    target = root / image.path
    if target.exists():
        return
    seed, patient, _, _ = image.key
    anatomy = draw_anatomy(_patient_rng(seed, patient))
    rng = np.random.default_rng(image.key)
    pixels = render_radiograph(rng, image.view, image.finding, image.size, image.part, anatomy)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix == ".jpg" else []
    encoded = cv2.imencode(target.suffix, pixels, options)[1]
    _write_aside(target, encoded.tobytes())


def _write_aside(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".part")
    aside.write_bytes(content)
    aside.replace(target)


def _draw_patient(patient: int, root: Path, plan: Callable[[int], list[Image]]) -> None:
    for image in plan(patient):
        _draw_image(root, image)


def _write_tree(
    root: Path,
    settings: dict[str, str | int],
    plan: Callable[[int], list[Image]],
    tables: dict[str, str],
    workers: int,
) -> None:
    patients, seed, size = (int(settings[name]) for name in ("patients", "seed", "size"))
    for name, value, least in (("patients", patients, 1), ("seed", seed, 0), ("size", size, 64)):
        if value < least:
            raise UserError(f"synthetic tree: {name} is {value}; it must be at least {least}")
    if workers < 1:
        raise UserError(f"synthetic tree: workers is {workers}; it must be at least 1")
    if _is_complete(root, settings):
        return
    record = json.dumps({"generator": GENERATOR, **settings}, indent=2) + "\n"
    started = root / f"{RECORD}.started"
    _write_aside(started, record.encode())
    draw = functools.partial(_draw_patient, root=root, plan=plan)
    for _ in _each(draw, patients, workers):
        pass
    for name, content in tables.items():
        _write_aside(root / name, content.encode())
    started.replace(root / RECORD)


def _is_complete(root: Path, settings: dict[str, str | int]) -> bool:
    """Say whether the tree is there; raise UserError if what is there is not this tree."""
    if root.exists() and not root.is_dir():
        raise UserError(f"{root}: is a file; name a folder for the synthetic radiographs")
    wanted = {"generator": GENERATOR, **settings}
    for name in (RECORD, f"{RECORD}.started"):
        record = root / name
        if record.exists():
            try:
                found = json.loads(record.read_text())
            except json.JSONDecodeError:
                raise UserError(f"{record}: is not JSON; delete {root} and run again") from None
            if found != wanted:
                raise UserError(
                    f"{record}: holds {found}, not {wanted}; delete {root} or choose another"
                )
            return name == RECORD
    if root.is_dir() and any(path.name != f"{RECORD}.started.part" for path in root.iterdir()):
        raise UserError(
            f"{root}: holds files that are not synthetic radiographs; choose an empty folder"
        )
    return False


def _each(draw: Callable[[int], None], patients: int, workers: int) -> Iterator[None]:
    numbers = range(1, patients + 1)
    if workers == 1:
        yield from map(draw, numbers)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(draw, numbers, chunksize=max(1, patients // (8 * workers)))
