"""Scores and answers of a fine-tuned model for every image of a split, resumable."""

import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elbow_core.dataset import PreparedData, open_prepared, refuse_seen
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation import (
    UNPARSED,
    Predictions,
    predictions_of_rows,
    require_predictions_file,
    write_predictions,
)
from elbow_core.progress import track
from elbow_core.runs import data_fingerprint, find_data, lock_run, require_data
from vlm_torch import lora
from vlm_torch.inputs import require_images
from vlm_torch.models import InputFormat, load_base, read_input_format
from vlm_torch.scoring.answer_log import Answer, AnswerLog
from vlm_torch.scoring.answering import generate_answers, injury_probability, parse_answer


def answer_batch(
    model: Any,
    inputs: InputFormat,
    answers: tuple[str, str],
    images: Mapping[str, np.ndarray],
) -> list[Answer]:
    """Return score, text and label for each image, uint8 [size, size], by its id.

    Raises:
        UserError: naming the first image for which the model computed nan or infinity.
    """
    pixels = inputs.normalise(list(images.values())).to(model.device)
    scores = injury_probability(model, inputs.tokens, pixels).tolist()
    generated = generate_answers(model, inputs.tokens, inputs.processor.tokenizer, pixels)
    found = []
    for image_id, score, text in zip(images, scores, generated, strict=True):
        if text is None or not math.isfinite(score):
            raise UserError(
                f"image {image_id!r}: the model computes numbers that are not finite, so it has no "
                "score; its weights are damaged or overflow (model.dtype)"
            )
        found.append(Answer(image_id, score, text, parse_answer(text, answers)))
    return found


def predict_split(
    model: Any,
    inputs: InputFormat,
    answers: tuple[str, str],
    name: str,
    data: PreparedData,
    split: str,
    batch_size: int,
    log: AnswerLog,
    done: int,
) -> Predictions:
    """Return the predictions for a split, in manifest order; the first ``done`` are in the log.

    ``answers`` are those of the prompt, ``name`` is that of the model in its predictions.

    Raises `UserError` for a damaged log, and as `answer_batch` does.
    """
    positions = data.positions(split).tolist()
    starts = range(done, len(positions), batch_size)
    model.eval()
    for start in track(starts, len(positions), f"score {split}", done, each=batch_size):
        batch = positions[start : start + batch_size]
        images = {data.rows[position].image_id: data.archive[position] for position in batch}
        log.append(answer_batch(model, inputs, answers, images))
    found = log.read()
    return predictions_of_rows(
        [data.rows[position] for position in positions],
        [answer.score for answer in found],
        [answer.label for answer in found],
        name,
        [answer.text for answer in found],
    )


@dataclass(frozen=True)
class AnsweringTask:
    """What is checked before the first answer: the model's input format, the data, the log."""

    opened: lora.FinetunedModel
    inputs: InputFormat
    data: PreparedData
    split: str
    log: Path


def check_task(
    opened: lora.FinetunedModel, data: PreparedData, split: str, log: Path
) -> AnsweringTask:
    """Check that a model can answer for a split, and that it did not learn from its images.

    Args:
        opened: the model.
        data: prepared as it needs them.
        split: to be answered.
        log: the file of answers with which a killed prediction resumes.

    Raises:
        UserError: images that the model learnt from, an empty split, or an unreadable image.
    """
    seen = lora.images_seen_by(opened.folder, opened.card)
    for line in refuse_seen(seen, data, (split,), str(opened.folder)):
        print(line, file=sys.stderr)
    inputs = read_input_format(opened.base, opened.model, opened.card.prompt)
    require_images(data, (split,), inputs.image_size)
    return AnsweringTask(opened, inputs, data, split, log)


def answer_split(task: AnsweringTask, name: str, batch_size: int, table: Path) -> Predictions:
    """Answer for every image of a task, write the predictions and return them.

    The caller holds a lock that keeps other processes from the log.

    Args:
        task: from `check_task`.
        name: of the model in its predictions.
        batch_size: images that pass through the model at once.
        table: the file of predictions.

    Raises:
        UserError: a damaged file of earlier answers, before the first answer; later, a score that
            is not finite.
    """
    opened, data = task.opened, task.data
    log = AnswerLog(
        task.log,
        {
            "model": opened.base.fingerprint,
            "card": opened.card.digest(),
            "data": data_fingerprint(data.directory),
            "split": task.split,
        },
        [data.rows[position].image_id for position in data.positions(task.split).tolist()],
    )
    done = log.begin(batch_size)
    model: Any = load_base(opened.base, opened.model)
    if opened.adapter is not None:
        model = lora.load_adapter(model, opened.adapter, opened.card.lora)
    if torch.cuda.is_available() and not opened.model.four_bit:
        model = model.to("cuda")
    answers = opened.card.prompt.answers
    predictions = predict_split(
        model, task.inputs, answers, name, data, task.split, batch_size, log, done
    )
    write_predictions(table, predictions)
    log.remove()
    _print_unparsed(predictions)
    return predictions


def predict(
    run: lora.FinetunedRun, split: str, batch_size: int, prepared: Path | None = None
) -> Path:
    """Write the predictions of a finished run on a split of its data; return the file.

    The run is locked meanwhile: see `lock_run`.

    Args:
        run: the run.
        split: of its data.
        batch_size: images that pass through the model at once.
        prepared: the place of the run's data, if they were moved.

    Raises:
        UserError: data that are not there, were prepared differently or have changed, a split with
            images that the model learnt from, an empty split, an unreadable image, a run that
            cannot be written or into which another process writes, or a damaged file of earlier
            answers, all before the first answer; later, a score that is not finite.
    """
    with lock_run(run.path):
        path = run.path / f"predictions_{split}.csv"
        require_predictions_file(path)
        data = open_prepared(find_data(run.path, run.config.data.prepared, prepared))
        expected = run.card.preprocessing.model_dump(mode="json")
        if expected != data.archive.settings:
            raise ConfigError(
                f"{data.directory}: prepared with {data.archive.settings}, the model needs "
                f"{expected}"
            )
        require_data(run.path, data.directory)
        task = check_task(run, data, split, run.path / f".predictions_{split}.jsonl")
        answer_split(task, run.path.name, batch_size, path)
    return path


def _print_unparsed(predictions: Predictions) -> None:
    assert predictions.answer is not None
    unparsed = predictions.prediction == UNPARSED
    print(f"unparsed: {int(unparsed.sum())} of {len(predictions)} answers name neither class")
    for text, count in Counter(predictions.answer[unparsed].tolist()).most_common(3):
        print(f"  {count} times {text!r}")
