"""Inputs of a report: two models' predictions, a prepared folder and a run."""

import json
from pathlib import Path

import numpy as np

from elbow_core.dataset import ManifestRow, write_archive, write_manifest
from elbow_core.evaluation import UNPARSED, Predictions, write_predictions

IMAGES = 90


def scores_of(seed: int, labels: np.ndarray, skill: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-skill * rng.normal(2 * labels - 1, 1)))


def predictions(
    model: str, seed: int, prefix: str = "t", n: int = IMAGES, answers: bool = False
) -> Predictions:
    labels = (np.arange(n) % 7 < 3).astype(np.int64)
    score = scores_of(seed, labels, 2.0 if model == "convnext" else 1.2)
    prediction = (score >= 0.5).astype(np.int64)
    answer = None
    if answers:
        prediction[:4] = UNPARSED
        words = np.array(["No injury", "Fracture or dislocation", "<b>I | cannot</b> say"])
        answer = words[prediction]
    return Predictions(
        image_id=np.array([f"{prefix}_{k:03d}" for k in range(n)]),
        patient_id=np.array([f"{prefix}p{k // 3}" for k in range(n)]),
        study_id=np.array([f"study{k % 2}" for k in range(n)]),
        label=labels,
        score=score,
        prediction=prediction,
        model=model,
        answer=answer,
    )


def attributes_of_image(k: int) -> tuple[tuple[str, str], ...]:
    """Return accession, age and sex: a patient has three images, one in ten has no sex."""
    patient = k // 3
    sex = [] if patient % 10 == 9 else [("sex", "FM"[patient % 2])]
    return ("accession", f"A{k}"), ("age", str(patient * 2)), *sex


def write_inputs(folder: Path) -> None:
    """Write every kind of input of a report; each pixel of image k of the archive is k."""
    test = predictions("convnext", 1)
    write_predictions(folder / "a.csv", test)
    write_predictions(folder / "b.csv", predictions("medgemma", 2, answers=True))
    write_predictions(folder / "va.csv", predictions("convnext", 3, "v"))
    write_predictions(folder / "vb.csv", predictions("medgemma", 4, "v", answers=True))
    rows = [
        ManifestRow(
            image_id=image_id,
            path=f"{image_id}.png",
            label=label,
            split="test",
            patient_id=patient,
            study_id=study,
            view=("ap", "lateral", "")[k % 3],
            body_part="elbow",
            finding=("fracture" if label else "treated, hardware" if k % 2 else "normal"),
            source="synthetic",
            sha256=f"{k:064x}",
            height=8,
            width=8,
            attributes=attributes_of_image(k),
        )
        for k, (image_id, label, patient, study) in enumerate(
            zip(
                test.image_id.tolist(),
                test.label.tolist(),
                test.patient_id.tolist(),
                test.study_id.tolist(),
                strict=True,
            )
        )
    ]
    prepared = folder / "prepared"
    images = [np.full((32, 32), k, np.uint8) for k in range(IMAGES)]
    write_archive(prepared, test.image_id.tolist(), images, {"size": 32})
    write_manifest(prepared / "manifest.csv", rows)
    (prepared / "rejected.csv").write_text("path,reason\nx.png,truncated\ny.png,truncated\n")
    changed = [{"image_id": image, "old_label": 1, "new_label": 0} for image in ("t_003", "gone")]
    corrections = {
        "schema": 1,
        "sha256": "0" * 64,
        "predictions_sha256": [],
        "verdicts": {"agree": 0, "change": 2, "unsure": 0},
        "unsure": "keep",
        "changed": changed,
    }
    (prepared / "corrections.json").write_text(json.dumps(corrections))
    model = folder / "run" / "model"
    model.mkdir(parents=True)
    thresholds = {"default": 0.5, "youden": 0.4}
    card = {"thresholds": thresholds, "weights_sha256": "0" * 64, "preprocessing": {"size": 32}}
    (model / "model.json").write_text(json.dumps(card))
    (folder / "run" / "config.yaml").write_text(
        "epochs: 3\nseed: 0\nbatch_size: 32\n"
        "init: {convnext_tiny: somewhere/first, mobilenetv3_large: somewhere/second}\n"
    )


def every_option(inputs: Path, out: Path) -> list[str]:
    prepared = inputs / "prepared"
    paths = {
        "--validation": [inputs / "va.csv", inputs / "vb.csv"],
        "--manifest": [prepared / "manifest.csv"],
        "--rejected": [prepared / "rejected.csv"],
        "--archive": [prepared],
        "--run": [inputs / "run"],
        "--out": [out],
    }
    options = [str(part) for flag, values in paths.items() for part in (flag, *values)]
    return [str(inputs / "a.csv"), str(inputs / "b.csv"), *options, "--checklist", "--draws", "100"]
