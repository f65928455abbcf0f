"""Answer for every image of a split.

    python -m vlm_torch.predict --run DIR --split test

Writes DIR/predictions_<split>.csv; a second call goes on where a killed one stopped.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elbow_core import cli
from elbow_core.dataset.manifest import SPLITS
from elbow_core.dataset.prepared import PreparedData, open_prepared
from elbow_core.errors import ConfigError
from elbow_core.evaluation import (
    UNPARSED,
    Predictions,
    predictions_of_rows,
    write_predictions,
)
from elbow_core.progress import track
from elbow_core.runs import data_fingerprint
from vlm_torch import startup
from vlm_torch.data import require_images
from vlm_torch.lora.adapter import load_adapter
from vlm_torch.lora.tuned import TunedRun, configured_model, open_merged, open_tuned
from vlm_torch.models.base import Reading, load_base, read_processor
from vlm_torch.scoring.answers import Answer, AnswerLog
from vlm_torch.scoring.likelihood import generate_answers, injury_probability, parse_answer


def answer_batch(
    model: Any, reading: Reading, answers: tuple[str, str], images: Sequence[np.ndarray]
) -> list[Answer]:
    """Return score, text and label for each image, uint8 [size, size]."""
    pixels = reading.normalise(images).to(model.device)
    scores = injury_probability(model, reading.tokens, pixels).tolist()
    texts = generate_answers(model, reading.tokens, reading.processor.tokenizer, pixels)
    return [
        Answer(score, text, parse_answer(text, answers))
        for score, text in zip(scores, texts, strict=True)
    ]


def predict_split(
    model: Any,
    reading: Reading,
    run: TunedRun,
    data: PreparedData,
    split: str,
    batch_size: int,
    log: AnswerLog,
) -> Predictions:
    """Return the answers for a split, in manifest order; those in the log are not asked again."""
    positions = data.positions(split).tolist()
    begun = log.read(len(positions))
    starts = range(len(begun), len(positions), batch_size)
    model.eval()
    for start in track(starts, -(-len(positions) // batch_size), split, len(begun) // batch_size):
        batch = [data.archive[position] for position in positions[start : start + batch_size]]
        log.append(answer_batch(model, reading, run.config.prompt.answers, batch))
    found = log.read(len(positions))
    rows = [data.rows[position] for position in positions]
    return predictions_of_rows(
        rows,
        [answer.score for answer in found],
        [answer.label for answer in found],
        run.path.name,
        [answer.text for answer in found],
    )


def predict(run: TunedRun, split: str, batch_size: int) -> Path:
    """Write the predictions of a finished run on a split of its data; return the file.

    Raises:
        UserError: data that were prepared otherwise, an empty split, or an image that cannot be
            read: before the first answer.
    """
    data = open_prepared(run.config.data.prepared)
    wanted = run.card.preprocessing.model_dump(mode="json")
    if wanted != data.archive.settings:
        raise ConfigError(
            f"{data.directory}: prepared with {data.archive.settings}, the model needs {wanted}"
        )
    reading = read_processor(run.base, run.config.model, run.config.prompt)
    require_images(data, (split,), reading.image_size)
    model: Any = load_base(run.base, run.config.model)
    if run.adapter is not None:
        model = load_adapter(model, run.adapter)
    if torch.cuda.is_available() and not run.config.model.four_bit:
        model = model.to("cuda")
    path = run.path / f"predictions_{split}.csv"
    log = AnswerLog(
        run.path / f".predictions_{split}.jsonl",
        {
            "model": run.base.fingerprint,
            "adapter": run.card.weights_sha256,
            "data": data_fingerprint(data.directory),
        },
    )
    predictions = predict_split(model, reading, run, data, split, batch_size, log)
    write_predictions(path, predictions)
    log.remove()
    _say_unparsed(predictions)
    return path


def _say_unparsed(predictions: Predictions) -> None:
    assert predictions.answer is not None
    unparsed = predictions.prediction == UNPARSED
    print(f"unparsed: {int(unparsed.sum())} of {len(predictions)} answers name neither class")
    for text, count in Counter(predictions.answer[unparsed].tolist()).most_common(3):
        print(f"  {count} times {text!r}")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--split", default="test", choices=SPLITS)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--base", type=Path, help="where the base model lies, if it was moved")
    parser.add_argument(
        "--merged", action="store_true", help="answer with the merged checkpoint of the run"
    )
    options = parser.parse_args(arguments)
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    startup.begin(configured_model(options.run))
    run = open_merged(options.run) if options.merged else open_tuned(options.run, options.base)
    print(f"predictions: {predict(run, options.split, options.batch_size)}")
    return 0


if __name__ == "__main__":
    cli.run(main)
