"""Predictions of a finished run on a split: scores and answers for every image, resumable."""

import math
import sys
from collections import Counter
from collections.abc import Mapping
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
    run: lora.FinetunedRun,
    data: PreparedData,
    split: str,
    batch_size: int,
    log: AnswerLog,
    done: int,
) -> Predictions:
    """Return the predictions for a split, in manifest order; the first ``done`` are in the log.

    Raises `UserError` for a damaged log, and as `answer_batch` does.
    """
    positions = data.positions(split).tolist()
    starts = range(done, len(positions), batch_size)
    model.eval()
    for start in track(starts, len(positions), f"score {split}", done, each=batch_size):
        batch = positions[start : start + batch_size]
        images = {data.rows[position].image_id: data.archive[position] for position in batch}
        log.append(answer_batch(model, inputs, run.config.prompt.answers, images))
    answers = log.read()
    return predictions_of_rows(
        [data.rows[position] for position in positions],
        [answer.score for answer in answers],
        [answer.label for answer in answers],
        run.path.name,
        [answer.text for answer in answers],
    )


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
        return _predict(run, split, batch_size, prepared)


def _predict(run: lora.FinetunedRun, split: str, batch_size: int, prepared: Path | None) -> Path:
    path = run.path / f"predictions_{split}.csv"
    require_predictions_file(path)
    data = open_prepared(find_data(run.path, run.config.data.prepared, prepared))
    expected = run.card.preprocessing.model_dump(mode="json")
    if expected != data.archive.settings:
        raise ConfigError(
            f"{data.directory}: prepared with {data.archive.settings}, the model needs {expected}"
        )
    require_data(run.path, data.directory)
    folder = run.base.path if run.adapter is None else run.adapter
    for line in refuse_seen(lora.images_seen_by(folder, run.card), data, (split,), str(folder)):
        print(line, file=sys.stderr)
    inputs = read_input_format(run.base, run.config.model, run.config.prompt)
    require_images(data, (split,), inputs.image_size)
    log = AnswerLog(
        run.path / f".predictions_{split}.jsonl",
        {
            "model": run.base.fingerprint,
            "card": run.card.digest(),
            "data": data_fingerprint(data.directory),
            "split": split,
        },
        [data.rows[position].image_id for position in data.positions(split).tolist()],
    )
    done = log.begin(batch_size)
    model: Any = load_base(run.base, run.config.model)
    if run.adapter is not None:
        model = lora.load_adapter(model, run.adapter, run.card.lora)
    if torch.cuda.is_available() and not run.config.model.four_bit:
        model = model.to("cuda")
    predictions = predict_split(model, inputs, run, data, split, batch_size, log, done)
    write_predictions(path, predictions)
    log.remove()
    _print_unparsed(predictions)
    return path


def _print_unparsed(predictions: Predictions) -> None:
    assert predictions.answer is not None
    unparsed = predictions.prediction == UNPARSED
    print(f"unparsed: {int(unparsed.sum())} of {len(predictions)} answers name neither class")
    for text, count in Counter(predictions.answer[unparsed].tolist()).most_common(3):
        print(f"  {count} times {text!r}")
