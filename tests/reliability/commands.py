"""The commands that write, each on a small folder, and what trouble may leave of their outputs."""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import yaml

from elbow_core.config import dump_config
from elbow_core.evaluation.prediction_files import COLUMNS
from tests.support import training, vlm_runs
from tests.support.llava_rad_release import write_release
from tests.support.paths import ROOT
from tests.support.prepare_folders import write_images
from tests.support.small_data import write_prepared

_PREDICTIONS = ",".join(COLUMNS)  # the header of an older file
KEPT = "thesis.txt"  # the user's own, beside every output
_SCORES = "image,truth,prob\n" + "".join(f"i{k},{k % 2},0.{k % 7}\n" for k in range(40))


@dataclass(frozen=True)
class Case:
    """A command on a small folder.

    Attributes:
        module: of the command; it contains `main`.
        arguments: of the command, which runs in the folder.
        prepare: writes the folder.
        outputs: files and folders that the command writes in one step: after a disturbance each is
            as it was, or complete. Those that exist before contain an older result.
        results: files and folders that have the same bytes after an undisturbed command and after a
            disturbed one and its repetition.
        imported: modules that the command imports late, with blanks between them.
    """

    module: str
    arguments: list[str]
    prepare: Callable[[Path], None]
    outputs: tuple[str, ...]
    results: tuple[str, ...] = ()
    imported: str = ""

    def write_folder(self, folder: Path) -> None:
        """Write the folder with the command's inputs, older results and a file of the user's."""
        folder.mkdir()
        self.prepare(folder)
        (folder / KEPT).write_text("mine")


def digest(path: Path) -> str:
    """Return a digest of a file, or of all names and files of a folder; empty if it is absent."""
    if not path.exists():
        return ""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    whole = hashlib.sha256()
    for file in files:
        content = file.read_bytes() if file.is_file() else b""
        whole.update(f"{file.relative_to(path)} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def _command(folder: Path, module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=folder, check=True)


def _data_folder(folder: Path) -> None:
    config = write_images(folder)
    text = dump_config(config).replace(f"{folder}/", "")
    (folder / "data.yaml").write_text(text)


def _synthetic(folder: Path) -> None:
    config = yaml.safe_load((ROOT / "configs/demo/elbow_data.yaml").read_text())
    config |= {"root": "tree", "out": "out", "workers": 0}
    config["source"] |= {"patients": 12}
    config["preprocess"] |= {"size": 32}
    (folder / "data.yaml").write_text(yaml.safe_dump(config))


def _relative(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text().replace(f"{folder}/", ""))


def _training(folder: Path) -> None:
    write_prepared(folder / "data")
    (folder / "data/rejected.csv").write_text("path,reason\n")
    training.write_config(folder, epochs=1, checkpoint_every=3)
    _relative(folder, "train.yaml")


def _finished_run(folder: Path) -> None:
    _training(folder)
    _command(folder, "elbow_jax.train", "--config", "train.yaml")
    shutil.rmtree(folder / "run/checkpoints")


def _evaluated(folder: Path) -> None:
    _finished_run(folder)
    _command(folder, "elbow_jax.evaluate", "--run", "run")
    _age(folder / "run/report_test/report.md", *folder.glob("run/predictions_*.csv"))


def _scored(folder: Path) -> None:
    _finished_run(folder)
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for number in range(5):
        cv2.imwrite(str(folder / f"images/{number}.png"), rng.integers(0, 255, (64, 48), np.uint8))
    (folder / "scores.csv").write_text("path,score,label\nold.png,0.5,normal\n")


def _exported(folder: Path) -> None:
    _finished_run(folder)
    (folder / "out").mkdir()


def _scores(folder: Path) -> None:
    (folder / "scores.csv").write_text(_SCORES)
    (folder / "predictions.csv").write_text(f"{_PREDICTIONS}\n")


def _reported(folder: Path) -> None:
    (folder / "scores.csv").write_text(_SCORES)
    _command(folder, _IMPORT.module, *_IMPORT.arguments)
    _command(folder, _REPORT.module, *_REPORT.arguments)
    _age(folder / "report/report.md")


def _fine_tuning(folder: Path) -> None:
    write_prepared(folder / "data")
    vlm_runs.write_config(folder, "medgemma", epochs=1, checkpoint_every=2)
    _relative(folder, "finetune.yaml")


def _fine_tuned(folder: Path) -> None:
    _fine_tuning(folder)
    _command(folder, "vlm_torch.finetune", "--config", "finetune.yaml")
    shutil.rmtree(folder / "run/checkpoints")


def _answered(folder: Path) -> None:
    _fine_tuned(folder)
    (folder / "run/predictions_test.csv").write_text(f"{_PREDICTIONS},answer\n")


def _stopped_training(folder: Path) -> None:
    _training(folder)
    _command(folder, "elbow_jax.train", "--config", "train.yaml")
    shutil.rmtree(folder / "run/model")


def _stopped_fine_tuning(folder: Path) -> None:
    _fine_tuning(folder)
    _command(folder, "vlm_torch.finetune", "--config", "finetune.yaml")
    shutil.rmtree(folder / "run/adapter")


def _half_answered(folder: Path) -> None:
    _fine_tuned(folder)
    answers = folder / "run/.predictions_test.jsonl"
    _kill_once(folder, answers, 3, "vlm_torch.predict", "--run", "run", "--batch-size", "2")
    assert answers.is_file()


def _prepared(folder: Path) -> None:
    _data_folder(folder)
    _command(folder, "elbow_core.prepare", "--config", "data.yaml")


def _half_prepared(folder: Path) -> None:
    _data_folder(folder)
    work = folder / ".out.partial/work"
    while not work.is_dir():  # a fast one has ended before it was killed
        shutil.rmtree(folder / "out", ignore_errors=True)
        _kill_once(folder, work / "key", 0, "elbow_core.prepare", "--config", "data.yaml")


def _kill_once(folder: Path, file: Path, lines: int, module: str, *arguments: str) -> None:
    """Start a command and kill it once it has written some lines of a file."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=folder)
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


_COLUMNS = ["--image-id", "image", "--label", "truth", "--score", "prob"]
_IMPORT = Case(
    "elbow_core.evaluation.import_scores",
    ["scores.csv", *_COLUMNS, "--model", "m", "--out", "predictions.csv"],
    _scores,
    outputs=("predictions.csv",),
)
_REPORT = Case(
    "elbow_core.evaluation.report.__main__",
    ["predictions.csv", "--out", "report", "--draws", "100"],
    _reported,
    outputs=("report",),
    imported="matplotlib.pyplot matplotlib.backends.backend_agg elbow_core.evaluation.report.write",
)
_JAX = (
    "elbow_jax.models elbow_jax.scoring.predictor elbow_jax.training.engine orbax.checkpoint grain"
)

CASES = {
    "prepare": Case(
        "elbow_core.prepare.__main__",
        ["--config", "data.yaml"],
        _data_folder,
        outputs=("out",),
        imported="cv2 array_record.python.array_record_module",
    ),
    "prepare synthetic": Case(
        "elbow_core.prepare.__main__",
        ["--config", "data.yaml"],
        _synthetic,
        outputs=("out",),
        results=("tree",),
        imported="cv2 array_record.python.array_record_module",
    ),
    "train": Case(
        "elbow_jax.train",
        ["--config", "train.yaml", "--resume"],
        _training,
        outputs=("run/model",),
        results=("run/metrics.jsonl", "run/config.yaml"),
        imported=_JAX,
    ),
    "evaluate": Case(
        "elbow_jax.evaluate",
        ["--run", "run"],
        _evaluated,
        outputs=("run/report_test", "run/predictions_test.csv", "run/predictions_validation.csv"),
        imported=f"{_JAX} {_REPORT.imported}",
    ),
    "predict": Case(
        "elbow_jax.predict",
        ["--model", "run/model", "images", "--out", "scores.csv"],
        _scored,
        outputs=("scores.csv",),
        imported=_JAX,
    ),
    "port": Case(
        "elbow_jax.porting.__main__",
        ["--to-torch", "run", "--out", "out"],
        _exported,
        outputs=("out/run.torch.safetensors",),
        imported=_JAX,
    ),
    "import_scores": _IMPORT,
    "report": _REPORT,
    "finetune": Case(
        "vlm_torch.finetune",
        ["--config", "finetune.yaml", "--resume"],
        _fine_tuning,
        outputs=("run/adapter",),
        results=("run/metrics.jsonl", "run/config.yaml"),
        imported="vlm_torch.training.finetuning",
    ),
    "vlm predict": Case(
        "vlm_torch.predict",
        ["--run", "run", "--split", "test", "--batch-size", "4"],
        _answered,
        outputs=("run/predictions_test.csv",),
        imported="vlm_torch.scoring.split",
    ),
    "merge": Case(
        "vlm_torch.merge",
        ["--run", "run"],
        _fine_tuned,
        outputs=("run/merged",),
        imported="vlm_torch.lora.merging",
    ),
    "assemble": Case(
        "vlm_torch.assemble_llava_rad",
        ["--parts", "parts", "--out", "assembled"],
        lambda folder: (write_release(folder / "parts"), None)[1],
        outputs=("assembled",),
        imported="vlm_torch.models.llava_rad_assembly",
    ),
}


@dataclass(frozen=True)
class Records:
    """A command, and the files of ours that it reads: patterns below its folder."""

    case: Case
    files: tuple[str, ...]


def _with(name: str, prepare: Callable[[Path], None], *arguments: str) -> Case:
    """Return a case with another folder, and more arguments."""
    case = CASES[name]
    return replace(case, prepare=prepare, arguments=[*case.arguments, *arguments])


_PREPARED = ("data/manifest.csv", "data/index.json", "data/*.array_record")
_RUN = ("run/config.yaml", "run/run.json", "run/local.json")
_MODEL = ("run/model/*",)
_ADAPTER = ("run/adapter/*",)

RECORDS = {
    "prepare again": Records(_with("prepare", _prepared), ("out/*",)),
    "prepare on": Records(_with("prepare", _half_prepared), (".out.partial/**/*",)),
    "train": Records(CASES["train"], _PREPARED),
    "train on": Records(
        _with("train", _stopped_training),
        (*_PREPARED, *_RUN, "run/metrics.jsonl", "run/checkpoints/6/*"),
    ),
    "train from a run": Records(
        _with("train", _finished_run, "--run", "second", "--init", "run"),
        (*_RUN, *_MODEL),
    ),
    "evaluate": Records(
        CASES["evaluate"],
        (*_PREPARED, *_RUN, *_MODEL, "data/rejected.csv", "run/report_test/metrics.json"),
    ),
    "predict": Records(CASES["predict"], _MODEL),
    "port": Records(CASES["port"], _MODEL),
    "report": Records(CASES["report"], ("predictions.csv",)),
    "finetune on": Records(
        _with("finetune", _stopped_fine_tuning),
        (*_PREPARED, *_RUN, "run/metrics.jsonl", "run/checkpoints/checkpoint-3/*"),
    ),
    "vlm predict": Records(CASES["vlm predict"], (*_PREPARED, *_RUN, *_ADAPTER)),
    "vlm predict on": Records(
        _with("vlm predict", _half_answered), ("run/.predictions_test.jsonl",)
    ),
    "merge": Records(CASES["merge"], (*_RUN, *_ADAPTER)),
}
