"""Plan the images of each synthetic patient: names, views, findings and sizes."""

from dataclasses import dataclass

import numpy as np

from elbow_core.sources.synthetic.elbow import VIEWS, sample_anatomy
from elbow_core.sources.synthetic.findings import label_of

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
ANY_PARTS = {"elbow": 0.35, "forearm": 0.1, "humerus": 0.1, "hand": 0.27, "leg": 0.18}
"""Parts of the tree of all parts; of these `limbs` draws hand and leg, `radiograph` the others."""
MURA_PARTS = {"elbow": 0.6, "forearm": 0.2, "humerus": 0.2}


@dataclass(frozen=True)
class Image:
    """One image to render: its path in the tree and the inputs of its pixels."""

    path: str
    key: tuple[int, int, int, int]  # seed, patient, study, image
    part: str
    view: str
    finding: str
    size: int


def patient_rng(seed: int, patient: int) -> np.random.Generator:
    """Return the generator of a patient's anatomy and studies."""
    # Studies count from 1, so this key differs from the key of every image.
    return np.random.default_rng([seed, patient, 0, 0])


def _sample(rng: np.random.Generator, weights: dict[str, float]) -> str:
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))


def plan_elbow_patient(patient: int, seed: int, size: int) -> list[Image]:
    """Return the images of a patient of the elbow tree."""
    rng = patient_rng(seed, patient)
    sample_anatomy(rng)  # Rendering samples the same anatomy from the same generator.
    findings = [_sample(rng, ELBOW_INJURIES if rng.random() < 0.52 else ELBOW_NORMALS)]
    if findings[0].endswith("fracture") and label_of(findings[0]) and rng.random() < 0.35:
        findings.append(str(rng.choice(FOLLOW_UPS)))
    suffix = "jpg" if rng.random() < 0.25 else "png"
    images = []
    for study, finding in enumerate(findings, start=1):
        views = VIEWS if rng.random() < 0.8 else (str(rng.choice(VIEWS)),)
        for number, view in enumerate(views, start=1):
            path = f"p{patient:04d}_s{study}_{finding}_{view}.{suffix}"
            key = (seed, patient, study, number)
            images.append(Image(path, key, "elbow", view, finding, _vary_size(size, rng)))
    return images


def plan_mura_patient(patient: int, seed: int, size: int, patients: int) -> list[Image]:
    """Return the images of one of ``patients`` patients of the MURA tree."""
    rng = patient_rng(seed, patient)
    sample_anatomy(rng)
    train = patients - max(1, round(VALID_SHARE * patients))
    split = "train" if patient <= train else "valid"
    part = _sample(rng, MURA_PARTS)
    images = []
    for study in range(1, 2 + int(rng.random() < 0.08)):
        positive = rng.random() < 0.42
        finding = _sample(rng, _abnormal(part)) if positive else "normal"
        folder = f"{split}/XR_{part.upper()}/patient{patient:05d}"
        folder += f"/study{study}_{'positive' if positive else 'negative'}"
        views = VIEWS if rng.random() < 0.8 else (*VIEWS, str(rng.choice(VIEWS)))
        for number, view in enumerate(views, start=1):
            key = (seed, patient, study, number)
            path = f"{folder}/image{number}.png"
            images.append(Image(path, key, part, view, finding, _vary_size(size, rng)))
    return images


def plan_folder_patient(patient: int, seed: int, size: int) -> list[Image]:
    """Return the images of a patient of the tree of all parts; half of the patients are injured."""
    rng = patient_rng(seed, patient)
    sample_anatomy(rng)
    part = _sample(rng, ANY_PARTS)
    injured = rng.random() < 0.5
    if part in ("hand", "leg"):
        finding = "shaft_fracture" if injured else "normal"
    elif injured:
        finding = _sample(rng, ELBOW_INJURIES) if part == "elbow" else "shaft_fracture"
    else:
        finding = _sample(rng, ELBOW_NORMALS)
    folder = "injury" if injured else "normal"
    suffix = "jpg" if rng.random() < 0.25 else "png"
    return [
        Image(
            f"{folder}/p{patient:05d}_{part}_{view}.{suffix}",
            (seed, patient, 1, number),
            part,
            view,
            finding,
            _vary_size(size, rng),
        )
        for number, view in enumerate(VIEWS, start=1)
    ]


def _abnormal(part: str) -> dict[str, float]:
    injuries = ELBOW_INJURIES if part == "elbow" else {"shaft_fracture": 1.0}
    other_findings = {
        name: 2.0 * share for name, share in ELBOW_NORMALS.items() if name != "normal"
    }
    return injuries | other_findings


def _vary_size(size: int, rng: np.random.Generator) -> int:
    return round(size * rng.uniform(0.88, 1.12))
