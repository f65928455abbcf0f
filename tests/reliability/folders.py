"""Folders that commands are run in: inputs, older results, and work that was broken off."""

import csv
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import yaml

from elbow_core.config import dump_config
from elbow_core.dataset import open_prepared
from elbow_core.dataset.near_duplicates import COLUMNS as NEAR_DUPLICATES
from elbow_core.evaluation.predictions.files import COLUMNS
from tests.reliability.tiny_network import PACKAGE
from tests.support import training, vlm_runs
from tests.support.heat_maps import write_set
from tests.support.llava_rad_release import write_release
from tests.support.paths import ROOT
from tests.support.prepare_folders import write_images
from tests.support.small_data import write_prepared

PREDICTIONS = ",".join(COLUMNS)  # the header of an older file
SCORES = "image,truth,prob\n" + "".join(f"i{k},{k % 2},0.{k % 7}\n" for k in range(40))

_COLUMNS = ["--image-id", "image", "--label", "truth", "--score", "prob"]
IMPORT = ["scores.csv", *_COLUMNS, "--model", "m", "--out", "predictions.csv"]
"""Arguments that import `SCORES`."""
REPORT = ["predictions.csv", "--out", "report", "--draws", "100"]
"""Arguments that report the imported scores."""
READERS = ["study.csv", "--out", "report"]
ABSTAIN = [
    "predictions.csv",
    *("--missed", "0.1", "--false-alarms", "0.2"),
    *("--out", "abstention.json"),
]
LABELS = ["predictions.csv", "--archive", "data", "--out", "audit"]
LOCALISATION = ["maps", "--data", "data", "--out", "report", "--draws", "100"]
FOLDS = ["--config", "train.yaml", "--folds", "3"]
ELSEWHERE = ["--model", "run/model", "--data", "elsewhere", "--out", "out"]


_ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}  # the packages beside these tests


def run_command(folder: Path, module: str, *arguments: str) -> None:
    small = ["tests.reliability.tiny_network"] if module.startswith(PACKAGE) else []
    words = [sys.executable, "-m", *small, module, *arguments]
    subprocess.run(words, cwd=folder, env=_ENVIRONMENT, check=True)


def images_to_prepare(folder: Path) -> None:
    config = write_images(folder)
    text = dump_config(config).replace(f"{folder}/", "")
    (folder / "data.yaml").write_text(text)


def synthetic_to_prepare(folder: Path) -> None:
    config = yaml.safe_load((ROOT / "configs/demo/elbow_data.yaml").read_text())
    config |= {"root": "tree", "out": "out", "workers": 0}
    config["source"] |= {"patients": 12}
    config["preprocess"] |= {"size": 32}
    (folder / "data.yaml").write_text(yaml.safe_dump(config))


def _make_paths_relative(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text().replace(f"{folder}/", ""))


def training_data(folder: Path) -> None:
    write_prepared(folder / "data")
    (folder / "data/rejected.csv").write_text("path,reason\n")
    training.write_config(folder, epochs=1, checkpoint_every=3)
    _make_paths_relative(folder, "train.yaml")


def finished_run(folder: Path, without: str = "run/checkpoints") -> None:
    """Write a run and remove a part of it."""
    training_data(folder)
    run_command(folder, "elbow_jax.train", "--config", "train.yaml")
    shutil.rmtree(folder / without)


def stopped_run(folder: Path) -> None:
    """Write a run with its checkpoints that has not released its model."""
    finished_run(folder, without="run/model")


def evaluated_run(folder: Path) -> None:
    finished_run(folder)
    run_command(folder, "elbow_jax.evaluate", "--run", "run")
    _age(folder / "run/report_test/report.md", *folder.glob("run/predictions_*.csv"))


def data_of_another_hospital(folder: Path) -> None:
    finished_run(folder)
    write_prepared(folder / "elsewhere", seed=1)
    manifest = folder / "elsewhere/manifest.csv"
    manifest.write_text(
        manifest.read_text().replace(",patient_", ",person_").replace("person_id", "patient_id")
    )
    (folder / "elsewhere/rejected.csv").write_text("path,reason\n")
    run_command(folder, "elbow_jax.evaluate", *ELSEWHERE)
    _age(folder / "out/report/report.md", folder / "out/predictions.csv")


def scored_folds(folder: Path) -> None:
    """Write the runs of all folds, and an older gathering of their scores."""
    training_data(folder)
    run_command(folder, "elbow_jax.crossval", *FOLDS)
    _age(*(folder / "run" / name for name in ("report_out_of_fold/report.md", "folds.csv")))
    _age(folder / "run/predictions_out_of_fold.csv")


def images_to_score(folder: Path) -> None:
    finished_run(folder)
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for number in range(5):
        cv2.imwrite(str(folder / f"images/{number}.png"), rng.integers(0, 255, (64, 48), np.uint8))
    (folder / "scores.csv").write_text("path,score,label\nold.png,0.5,normal\n")


def thresholds_to_freeze(folder: Path) -> None:
    finished_run(folder)
    run_command(folder, "elbow_jax.evaluate", "--run", "run", "--split", "validation")
    shares = ("--missed", "0.1", "--false-alarms", "0.2", "--out", "abstention.json")
    scores = "run/predictions_validation.csv"
    run_command(folder, "elbow_core.evaluation.abstain", scores, *shares)


def run_to_export(folder: Path) -> None:
    finished_run(folder)
    (folder / "out").mkdir()


def scores_to_import(folder: Path) -> None:
    (folder / "scores.csv").write_text(SCORES)
    (folder / "predictions.csv").write_text(f"{PREDICTIONS}\n")


def reported_scores(folder: Path) -> None:
    (folder / "scores.csv").write_text(SCORES)
    run_command(folder, "elbow_core.evaluation.import_scores", *IMPORT)
    run_command(folder, "elbow_core.evaluation.report", *REPORT)
    _age(folder / "report/report.md")


def study_of_readers(folder: Path) -> None:
    simulate = "elbow_core.evaluation.readers.simulate"
    run_command(folder, simulate, "study.csv", "--aurocs", "0.8", "0.87", "--readers", "4")
    run_command(folder, "elbow_core.evaluation.readers", *READERS)
    _age(folder / "report/report.md")


def validation_scores(folder: Path) -> None:
    (folder / "scores.csv").write_text(SCORES)
    run_command(folder, "elbow_core.evaluation.import_scores", *IMPORT)
    run_command(folder, "elbow_core.evaluation.abstain", *ABSTAIN, "--confidence", "0.9")


def scored_labels(folder: Path) -> None:
    write_prepared(folder / "data")
    (folder / "data/near_duplicates.csv").write_text(f"{','.join(NEAR_DUPLICATES)}\n")
    with (folder / "data/manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [f"{row['image_id']},{row['label']},0.{k % 9 + 1}\n" for k, row in enumerate(rows)]
    (folder / "scores.csv").write_text("image,truth,prob\n" + "".join(lines))
    run_command(folder, "elbow_core.evaluation.import_scores", *IMPORT)
    run_command(folder, "elbow_core.evaluation.labels", *LABELS)
    _age(folder / "audit/labels.html")


def heat_maps(folder: Path) -> None:
    data = open_prepared(write_prepared(folder / "data"))
    rng = np.random.default_rng(0)
    write_set(folder / "maps", data, lambda row: rng.random((32, 32)))
    run_command(folder, "elbow_core.evaluation.localisation", *LOCALISATION)
    _age(folder / "report/report.md")


def fine_tuning_data(folder: Path) -> None:
    write_prepared(folder / "data")
    vlm_runs.write_config(folder, "medgemma", epochs=1, checkpoint_every=2)
    _make_paths_relative(folder, "finetune.yaml")


def fine_tuned_run(folder: Path, without: str = "run/checkpoints") -> None:
    """Write a fine-tuned run and remove a part of it."""
    fine_tuning_data(folder)
    run_command(folder, "vlm_torch.finetune", "--config", "finetune.yaml")
    shutil.rmtree(folder / without)


def stopped_fine_tuning(folder: Path) -> None:
    """Write a run with its checkpoints that has not written its adapter."""
    fine_tuned_run(folder, without="run/adapter")


def answered_run(folder: Path) -> None:
    fine_tuned_run(folder)
    (folder / "run/predictions_test.csv").write_text(f"{PREDICTIONS},answer\n")


def half_answered_run(folder: Path) -> None:
    fine_tuned_run(folder)
    answers = folder / "run/.predictions_test.jsonl"
    _kill_once(folder, answers, 3, "vlm_torch.predict", "--run", "run", "--batch-size", "2")
    assert answers.is_file()


def prepared_images(folder: Path) -> None:
    images_to_prepare(folder)
    run_command(folder, "elbow_core.prepare", "--config", "data.yaml")


def half_prepared_images(folder: Path) -> None:
    images_to_prepare(folder)
    work = folder / ".out.partial/work"
    while not work.is_dir():  # a fast one has ended before it was killed
        shutil.rmtree(folder / "out", ignore_errors=True)
        _kill_once(folder, work / "key", 0, "elbow_core.prepare", "--config", "data.yaml")


def published_parts(folder: Path) -> None:
    write_release(folder / "parts")


def _kill_once(folder: Path, file: Path, lines: int, module: str, *arguments: str) -> None:
    """Start a command and kill it once it has written some lines of a file."""
    words = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(words, cwd=folder, env=_ENVIRONMENT)
    while process.poll() is None:
        if file.is_file() and file.read_text().count("\n") >= lines:
            break
        time.sleep(0.0005)
    process.kill()
    process.wait()


def _age(*files: Path) -> None:
    """Change files, so that an older result differs from the new one."""
    for file in files:
        file.write_text(file.read_text() + "old\n")
