"""The files of ours that each command reads."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.reliability import folders
from tests.reliability.cases import CASES, Case


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
    "prepare again": Records(_with("prepare", folders.prepared_images), ("out/*",)),
    "prepare on": Records(_with("prepare", folders.half_prepared_images), (".out.partial/**/*",)),
    "train": Records(CASES["train"], _PREPARED),
    "train on": Records(
        _with("train", folders.stopped_run),
        (*_PREPARED, *_RUN, "run/metrics.jsonl", "run/checkpoints/6/*"),
    ),
    "train from a run": Records(
        _with("train", folders.finished_run, "--run", "second", "--init", "run"),
        (*_RUN, *_MODEL),
    ),
    "evaluate": Records(
        CASES["evaluate"],
        (*_PREPARED, *_RUN, *_MODEL, "data/rejected.csv", "run/report_test/metrics.json"),
    ),
    "evaluate elsewhere": Records(
        CASES["evaluate elsewhere"],
        ("elsewhere/manifest.csv", "elsewhere/index.json", "elsewhere/*.array_record", *_MODEL),
    ),
    "crossval": Records(
        CASES["crossval"],
        ("data/manifest.csv", "data/index.json", "run/fold_1/predictions_test.csv"),
    ),
    "predict": Records(CASES["predict"], _MODEL),
    "freeze": Records(CASES["freeze"], ("abstention.json", *_MODEL)),
    "abstain": Records(CASES["abstain"], ("predictions.csv",)),
    "labels": Records(CASES["labels"], ("predictions.csv", *_PREPARED, "data/near_duplicates.csv")),
    "localisation": Records(
        CASES["localisation"], ("maps/*", "data/manifest.csv", "data/regions.csv")
    ),
    "port": Records(CASES["port"], _MODEL),
    "report": Records(CASES["report"], ("predictions.csv",)),
    "finetune on": Records(
        _with("finetune", folders.stopped_fine_tuning),
        (*_PREPARED, *_RUN, "run/metrics.jsonl", "run/checkpoints/checkpoint-3/*"),
    ),
    "vlm predict": Records(CASES["vlm predict"], (*_PREPARED, *_RUN, *_ADAPTER)),
    "vlm predict on": Records(
        _with("vlm predict", folders.half_answered_run), ("run/.predictions_test.jsonl",)
    ),
    "merge": Records(CASES["merge"], (*_RUN, *_ADAPTER)),
}
