"""The commands that write, and what trouble may leave of their outputs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import folders

KEPT = "thesis.txt"  # the user's own, beside every output


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


# Modules that commands import late.
_ARCHIVE = "cv2 array_record.python.array_record_module"
_REPORT = "matplotlib.pyplot matplotlib.backends.backend_agg elbow_core.evaluation.report.write"
_JAX = (
    "elbow_jax.models elbow_jax.scoring.predictor elbow_jax.training.engine orbax.checkpoint grain"
)

CASES = {
    "prepare": Case(
        "elbow_core.prepare.__main__",
        ["--config", "data.yaml"],
        folders.images_to_prepare,
        outputs=("out",),
        imported=_ARCHIVE,
    ),
    "prepare synthetic": Case(
        "elbow_core.prepare.__main__",
        ["--config", "data.yaml"],
        folders.synthetic_to_prepare,
        outputs=("out",),
        results=("tree",),
        imported=_ARCHIVE,
    ),
    "train": Case(
        "elbow_jax.train",
        ["--config", "train.yaml", "--resume"],
        folders.training_data,
        outputs=("run/model",),
        results=("run/metrics.jsonl", "run/config.yaml"),
        imported=_JAX,
    ),
    "evaluate": Case(
        "elbow_jax.evaluate",
        ["--run", "run"],
        folders.evaluated_run,
        outputs=("run/report_test", "run/predictions_test.csv", "run/predictions_validation.csv"),
        imported=f"{_JAX} {_REPORT}",
    ),
    "evaluate elsewhere": Case(
        "elbow_jax.evaluate",
        folders.ELSEWHERE,
        folders.data_of_another_hospital,
        outputs=("out/report", "out/predictions.csv"),
        imported=f"{_JAX} {_REPORT}",
    ),
    # A fold is trained as `train` does, and scored as `evaluate` does.
    "crossval": Case(
        "elbow_jax.crossval.__main__",
        folders.FOLDS,
        folders.scored_folds,
        outputs=("run/report_out_of_fold", "run/predictions_out_of_fold.csv", "run/folds.csv"),
        imported=f"{_JAX} {_REPORT}",
    ),
    "predict": Case(
        "elbow_jax.predict",
        ["--model", "run/model", "images", "--out", "scores.csv"],
        folders.images_to_score,
        outputs=("scores.csv",),
        imported=_JAX,
    ),
    "port": Case(
        "elbow_jax.porting.__main__",
        ["--to-torch", "run", "--out", "out"],
        folders.run_to_export,
        outputs=("out/run.torch.safetensors",),
        imported=_JAX,
    ),
    "freeze": Case(
        "elbow_jax.freeze",
        ["--model", "run/model", "abstention.json"],
        folders.thresholds_to_freeze,
        outputs=("run/model/model.json",),
        imported="elbow_jax.scoring.released",
    ),
    "import_scores": Case(
        "elbow_core.evaluation.import_scores",
        folders.IMPORT,
        folders.scores_to_import,
        outputs=("predictions.csv",),
    ),
    "report": Case(
        "elbow_core.evaluation.report.__main__",
        folders.REPORT,
        folders.reported_scores,
        outputs=("report",),
        imported=_REPORT,
    ),
    "readers": Case(
        "elbow_core.evaluation.readers.__main__",
        folders.READERS,
        folders.study_of_readers,
        outputs=("report",),
        imported="matplotlib.pyplot elbow_core.evaluation.readers.write",
    ),
    "abstain": Case(
        "elbow_core.evaluation.abstain",
        folders.ABSTAIN,
        folders.validation_scores,
        outputs=("abstention.json",),
    ),
    "labels": Case(
        "elbow_core.evaluation.labels.__main__",
        folders.LABELS,
        folders.scored_labels,
        outputs=("audit",),
        imported="cleanlab.rank elbow_core.evaluation.labels.write",
    ),
    "localisation": Case(
        "elbow_core.evaluation.localisation.__main__",
        folders.LOCALISATION,
        folders.heat_maps,
        outputs=("report",),
        imported="matplotlib.pyplot elbow_core.evaluation.localisation",
    ),
    "finetune": Case(
        "vlm_torch.finetune",
        ["--config", "finetune.yaml", "--resume"],
        folders.fine_tuning_data,
        outputs=("run/adapter",),
        results=("run/metrics.jsonl", "run/config.yaml"),
        imported="vlm_torch.training.finetuning",
    ),
    "vlm predict": Case(
        "vlm_torch.predict",
        ["--run", "run", "--split", "test", "--batch-size", "4"],
        folders.answered_run,
        outputs=("run/predictions_test.csv",),
        imported="vlm_torch.scoring.split",
    ),
    "merge": Case(
        "vlm_torch.merge",
        ["--run", "run"],
        folders.fine_tuned_run,
        outputs=("run/merged",),
        imported="vlm_torch.lora.merging",
    ),
    "assemble": Case(
        "vlm_torch.assemble_llava_rad",
        ["--parts", "parts", "--out", "assembled"],
        folders.published_parts,
        outputs=("assembled",),
        imported="vlm_torch.models.llava_rad_assembly",
    ),
}
