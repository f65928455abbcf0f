"""Write a synthetic data set as a tree of files: the elbow set's, MURA's, or a folder a class.

`write_elbow_tree` writes a flat folder in which each file is named after its finding and view,
`p0012_s1_supracondylar_fracture_lateral.png`. `write_mura_tree` writes the layout of MURA
(Rajpurkar et al., 2018) with its four headerless tables, `write_folder_tree` the folders `normal`
and `injury` of all parts, hands and legs included. `geometry.json` says of each image what it
shows, and where. Each image is a function of (seed, patient, study, image), so the bytes do not
depend on the number of workers, and an interrupted run can be resumed.
"""

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from elbow_core.dataset import Region
from elbow_core.errors import UserError
from elbow_core.files import atomic_file, is_partial_name, locked_folder, read_json, sweep
from elbow_core.processes import WorkerPool
from elbow_core.sources.synthetic.elbow import render_radiograph, sample_anatomy
from elbow_core.sources.synthetic.findings import label_of
from elbow_core.sources.synthetic.geometry import (
    GEOMETRY,
    Depicted,
    Geometry,
    GeometryJournal,
    remove_journal,
)
from elbow_core.sources.synthetic.limbs import PARTS as LIMBS
from elbow_core.sources.synthetic.limbs import render_limb
from elbow_core.sources.synthetic.plans import (
    Image,
    patient_rng,
    plan_elbow_patient,
    plan_folder_patient,
    plan_mura_patient,
)

GENERATOR = 4  # Raise it when pixels or names change: an older tree is then refused.
RECORD = "synthetic.json"

_STARTED = f"{RECORD}.started"


def write_elbow_tree(
    root: Path, patients: int, seed: int, workers: int = 1, size: int = 360
) -> None:
    """Write a folder of elbows, long side about ``size`` pixels; about 45 % show an injury.

    A quarter of the patients have JPEGs, the rest PNGs. An injured patient may have a second study,
    treated or healed. A complete tree with the same settings is not changed. Raises `UserError` if
    the folder contains anything else, if a setting is out of range, or if another process is
    writing the folder.
    """
    plan = functools.partial(plan_elbow_patient, seed=seed, size=size)
    settings = {"tree": "elbow", "patients": patients, "seed": seed, "size": size}
    _write_tree(Path(root), settings, plan, {}, workers)


def write_mura_tree(
    root: Path, patients: int, seed: int, workers: int = 1, size: int = 320
) -> None:
    """Write ``MURA-v1.1`` in ``root``: elbows, forearms and humeri; positive is any abnormality.

    The last tenth of the patients is ``valid``. Raises `UserError` as `write_elbow_tree` does.
    """
    plan = functools.partial(plan_mura_patient, seed=seed, size=size, patients=patients)
    settings = {"tree": "mura", "patients": patients, "seed": seed, "size": size}
    if patients < 2:
        raise UserError(f"synthetic MURA tree: patients is {patients}; it must be at least 2")
    tables: dict[str, str] = {}
    for split in ("train", "valid"):
        paths = [
            image.path
            for patient in range(1, patients + 1)
            for image in plan(patient)
            if image.path.startswith(split)
        ]
        studies = dict.fromkeys(path.rpartition("/")[0] + "/" for path in paths)
        positive = ((study, int(study.endswith("positive/"))) for study in studies)
        tables[f"{split}_image_paths.csv"] = "".join(f"MURA-v1.1/{path}\n" for path in paths)
        tables[f"{split}_labeled_studies.csv"] = "".join(
            f"MURA-v1.1/{study},{label}\n" for study, label in positive
        )
    _write_tree(Path(root) / "MURA-v1.1", settings, plan, tables, workers)


def write_folder_tree(
    root: Path, patients: int, seed: int, workers: int = 1, size: int = 320
) -> None:
    """Write the folders ``normal`` and ``injury``: elbows, forearms, humeri, hands and legs.

    Raises `UserError` as `write_elbow_tree` does.
    """
    plan = functools.partial(plan_folder_patient, seed=seed, size=size)
    settings = {"tree": "folder", "patients": patients, "seed": seed, "size": size}
    _write_tree(Path(root), settings, plan, {}, workers)


def _write_image(root: Path, image: Image) -> list[Region]:
    target = root / image.path
    seed, patient, _, _ = image.key
    rng = np.random.default_rng(image.key)
    if image.part in LIMBS:
        rendered = render_limb(rng, image.part, bool(label_of(image.finding)), image.size)
    else:
        anatomy = sample_anatomy(patient_rng(seed, patient))
        rendered = render_radiograph(
            rng, image.view, image.finding, image.size, image.part, anatomy
        )
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix == ".jpg" else []
    encoded = cv2.imencode(target.suffix, rendered.pixels, options)[1]
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, encoded.tobytes())
    return rendered.regions


def _write(target: Path, content: bytes) -> None:
    with atomic_file(target, durable=False) as partial:  # A file of many, and quickly made again.
        partial.write_bytes(content)


def _write_patient(patient: int, root: Path, plan: Callable[[int], list[Image]]) -> Geometry:
    return {
        image.path: Depicted(image.part, image.view, image.finding, _write_image(root, image))
        for image in plan(patient)
    }


def _write_tree(
    root: Path,
    settings: dict[str, str | int],
    plan: Callable[[int], list[Image]],
    tables: dict[str, str],
    workers: int,
) -> None:
    patients, seed, size = (int(settings[name]) for name in ("patients", "seed", "size"))
    for name, value, minimum in (("patients", patients, 1), ("seed", seed, 0), ("size", size, 64)):
        if value < minimum:
            raise UserError(f"synthetic tree: {name} is {value}; it must be at least {minimum}")
    if workers < 1:
        raise UserError(f"synthetic tree: workers is {workers}; it must be at least 1")
    if _is_complete(root, settings):
        return
    root.mkdir(parents=True, exist_ok=True)
    with locked_folder(root, f"{root}: is being written by another process"):
        for folder, _, _ in os.walk(root):
            sweep(Path(folder))
        record = json.dumps({"generator": GENERATOR, **settings}, indent=2) + "\n"
        _write(root / _STARTED, record.encode())
        write_patient = functools.partial(_write_patient, root=root, plan=plan)
        with closing(GeometryJournal(root)) as journal:
            for geometry in _map_patients(write_patient, journal.patients + 1, patients, workers):
                journal.append(geometry)
            for name, content in tables.items():
                _write(root / name, content.encode())
            _write(root / GEOMETRY, journal.joined())
        (root / _STARTED).replace(root / RECORD)
        remove_journal(root)


def _is_complete(root: Path, settings: dict[str, str | int]) -> bool:
    """Say whether the tree is complete; raise `UserError` if the folder has other content."""
    if root.exists() and not root.is_dir():
        raise UserError(f"{root}: is a file; choose a folder for the synthetic radiographs")
    wanted = {"generator": GENERATOR, **settings}
    for name in (RECORD, _STARTED):
        record = root / name
        if record.exists():
            try:
                found = read_json(record)
            except ValueError:
                raise UserError(f"{record}: is not JSON; delete {root} and run again") from None
            if found != wanted:
                raise UserError(
                    f"{record}: contains {found}, not {wanted}; "
                    f"delete {root} or choose another folder"
                )
            if name == RECORD:
                remove_journal(root)
            return name == RECORD
    if root.is_dir() and any(not is_partial_name(path.name) for path in root.iterdir()):
        raise UserError(
            f"{root}: contains files that are not synthetic radiographs; choose an empty folder"
        )
    return False


def _map_patients(
    write_patient: Callable[[int], Geometry], first: int, last: int, workers: int
) -> Iterator[Geometry]:
    with WorkerPool(0 if workers == 1 else workers) as pool:
        yield from pool.map(write_patient, range(first, last + 1), batch=8)
