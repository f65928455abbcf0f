"""The memory of a report does not grow with the pixels of its images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import ManifestRow, write_archive, write_manifest
from elbow_core.evaluation import Predictions, write_predictions
from tests.support.paths import ROOT

SIZE = 64
REPORT = """
import sys
from pathlib import Path
from elbow_core.evaluation.report.__main__ import main

main(sys.argv[1:])
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def write_set(folder: Path, images: int) -> None:
    """Write prepared data of blank images, two a study, with predictions and a validation file."""
    names = np.array([f"i{number:06d}" for number in range(images)])
    studies = np.array([f"p{number // 2:06d}" for number in range(images)])
    labels = (np.arange(images) // 2 % 3 == 0).astype(np.int64)
    rows = [
        ManifestRow(
            image_id=name,
            path=f"{name}.png",
            label=label,
            split="test",
            patient_id=study,
            study_id=study,
            view=("ap", "lateral")[number % 2],
            body_part="elbow",
            finding="fracture" if label else "normal",
            source="blank",
            sha256=f"{number:064x}",
            height=SIZE,
            width=SIZE,
        )
        for number, (name, study, label) in enumerate(
            zip(names.tolist(), studies.tolist(), labels.tolist(), strict=True)
        )
    ]
    image = np.zeros((SIZE, SIZE), np.uint8)
    write_archive(folder / "data", names.tolist(), (image for _ in names), {"size": SIZE})
    write_manifest(folder / "data/manifest.csv", rows)
    rng = np.random.default_rng(0)
    for file, prefix, count in (("test", "", images), ("validation", "v", 400)):
        score = np.clip(rng.normal(0.3 + 0.35 * labels[:count], 0.2), 0, 1)
        ids, keys = (np.char.add(prefix, column[:count]) for column in (names, studies))
        found = Predictions(
            ids, keys, keys, labels[:count], score, (score >= 0.5).astype(np.int64), "m"
        )
        write_predictions(folder / f"{file}.csv", found)


def peak(folder: Path) -> int:
    """Return the peak of a report's memory in MiB."""
    command = [sys.executable, "-c", REPORT, str(folder / "test.csv")]
    command += ["--validation", str(folder / "validation.csv"), "--archive", str(folder / "data")]
    command += ["--manifest", str(folder / "data/manifest.csv")]
    command += ["--out", str(folder / "report"), "--draws", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]) >> 10


@pytest.mark.slow
def test_report_of_45000_images_takes_little_more_memory_than_one_of_1000(tmp_path):
    """The pixels of 45 000 images are 176 MiB here, and 15 GiB at 584 pixels."""
    peaks = {}
    for images in (1000, 45_000):
        folder = tmp_path / str(images)
        folder.mkdir()
        write_set(folder, images)
        peaks[images] = peak(folder)
    print(peaks)
    assert peaks[45_000] - peaks[1000] < 250
