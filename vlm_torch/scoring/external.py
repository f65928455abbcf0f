"""Judge a fine-tuned model on prepared data that are not its own."""

from pathlib import Path

from elbow_core import evaluation
from vlm_torch import lora
from vlm_torch.config import ADAPTER, MERGED
from vlm_torch.scoring.split import answer_split, check_task

ANSWERS = ".predictions.jsonl"


def predict_external(
    opened: lora.FinetunedModel,
    prepared: Path,
    out: Path,
    split: str,
    batch_size: int,
    internal: Path | None = None,
    validation: Path | None = None,
) -> Path:
    """Write a model's predictions of prepared data and their report; return its directory.

    Prompt and answers are those of the model's card. Its default threshold is 0.5; with
    ``validation`` the operating points are chosen there, and no external image moves them. After a
    kill, a second call continues.

    Args:
        opened: the model.
        prepared: the data, prepared as the model needs them.
        out: the folder to write to, made where it is missing.
        split: of the data; ``all`` for every image.
        batch_size: images that pass through the model at once.
        internal: the model's predictions of its own test set, to stand beside these.
        validation: those of its own validation set.

    Raises:
        UserError: if the data cannot be read, were prepared otherwise than the model needs, or
            hold images or patients that it learnt from, a file of predictions is of another model
            or shares images with the data, or an output cannot be written; all before the first
            answer. Later, as `answer_split` does.
    """
    outputs = evaluation.external_outputs(out)
    preprocessing = opened.card.preprocessing.model_dump(mode="json")
    data, part = evaluation.open_external(prepared, split, preprocessing)
    name = evaluation.name_of_model(opened.folder, (ADAPTER, MERGED))
    own = evaluation.read_own_predictions(internal, validation, data, part, name)
    task = check_task(opened, data, part, out / ANSWERS)
    with outputs.locked():
        predictions = answer_split(task, own.model, batch_size, outputs.predictions)
        evaluation.write_external_report(predictions, data, outputs.report, own)
    return outputs.report
