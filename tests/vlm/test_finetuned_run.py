"""What a fine-tuned run gives: predictions, a merged checkpoint, its part in a report."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from elbow_core.dataset.prepared import open_prepared
from elbow_core.evaluation.predictions import (
    UNPARSED,
    Predictions,
    read_predictions,
    write_predictions,
)
from elbow_core.evaluation.report.__main__ import main as report_main
from tests.support.small_data import SPLITS, write_prepared
from tests.support.vlm_runs import write_config
from vlm_torch import finetune, merge, predict
from vlm_torch.lora.adapter import load_adapter
from vlm_torch.lora.tuned import open_tuned
from vlm_torch.models.base import load_base, read_processor
from vlm_torch.scoring.likelihood import generate_answers, injury_probability

MERGED = 1e-4  # absolute, on probabilities


@pytest.fixture(scope="module")
def predicted(tuned) -> Path:
    assert predict.main(["--run", str(tuned / "run"), "--split", "train"]) == 0
    assert predict.main(["--run", str(tuned / "run"), "--split", "test", "--batch-size", "4"]) == 0
    return tuned


@pytest.fixture(scope="module")
def merged(predicted) -> Path:
    assert merge.main(["--run", str(predicted / "run")]) == 0
    return predicted


def test_tuned_model_beats_chance_on_its_training_images(predicted):
    found = read_predictions(predicted / "run/predictions_train.csv")
    assert len(found) == SPLITS["train"]
    assert np.mean(found.prediction == found.label) >= 0.8  # a coin would: 0.0008
    assert found.score[found.label == 1].mean() > found.score[found.label == 0].mean() + 0.2


def test_predictions_hold_every_image_and_the_answers_text(predicted):
    found = read_predictions(predicted / "run/predictions_test.csv")
    data = open_prepared(predicted / "data")
    rows = [data.rows[position] for position in data.positions("test")]
    assert found.image_id.tolist() == [row.image_id for row in rows]
    assert found.model == "run"
    assert found.answer is not None
    for text, label in zip(found.answer, found.prediction, strict=True):
        if label != UNPARSED:
            assert text.startswith(("No injury", "Fracture or dislocation")[label])


def test_predictions_do_not_depend_on_the_batch_or_on_an_interruption(predicted, capsys):
    run = predicted / "run"
    before = read_predictions(run / "predictions_test.csv")
    tuned_run = open_tuned(run, None)
    begun = run / ".predictions_test.jsonl"
    killed = predict.AnswerLog.append

    def append_once(log, answers):
        killed(log, answers)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict.AnswerLog, "append", append_once)
        with pytest.raises(KeyboardInterrupt):
            predict.predict(tuned_run, "test", 3)
    assert len(begun.read_text().splitlines()) == 1 + 3
    with begun.open("a") as file:
        file.write('{"score": 0.5, "te')  # cut short
    predict.predict(tuned_run, "test", 5)
    after = read_predictions(run / "predictions_test.csv")
    assert not begun.exists()
    assert after.image_id.tolist() == before.image_id.tolist()
    np.testing.assert_allclose(after.score, before.score, atol=1e-6)
    assert after.prediction.tolist() == before.prediction.tolist()


def test_merged_checkpoint_opens_in_plain_transformers_and_scores_alike(merged):
    run = open_tuned(merged / "run", None)
    reading = read_processor(run.base, run.config.model, run.config.prompt)
    data = open_prepared(merged / "data")
    images = [data.archive[position] for position in data.positions("test").tolist()]
    pixels = reading.normalise(images)
    assert run.adapter is not None
    beside = load_adapter(load_base(run.base, run.config.model), run.adapter).eval()
    alone = AutoModelForImageTextToText.from_pretrained(merged / "run/merged").eval()
    wanted = injury_probability(beside, reading.tokens, pixels)
    found = injury_probability(alone, reading.tokens, pixels)
    assert wanted.std() > 0.01
    assert (found - wanted).abs().max() < MERGED
    processor = AutoProcessor.from_pretrained(merged / "run/merged")
    tokenizer = processor.tokenizer
    assert generate_answers(alone, reading.tokens, tokenizer, pixels) == generate_answers(
        beside, reading.tokens, tokenizer, pixels
    )


def test_merged_checkpoint_differs_from_the_base_in_every_adapted_weight(merged):
    run = open_tuned(merged / "run", None)
    base = load_file(run.base.path / "model.safetensors")
    found = load_file(merged / "run/merged/model.safetensors")
    assert base.keys() == found.keys()
    same = {name for name in base if torch.equal(base[name], found[name])}
    linear = {name for name in base if "_proj.weight" in name or ".fc1.weight" in name}
    unused = {name for name in linear if "vision_tower.encoder.layer.2." in name}
    assert same & linear == unused
    assert any("embed_tokens" in name for name in base.keys() - same)


def test_merged_predictions_equal_the_adapters(merged):
    before = read_predictions(merged / "run/predictions_test.csv")
    assert predict.main(["--run", str(merged / "run"), "--split", "test", "--merged"]) == 0
    after = read_predictions(merged / "run/predictions_test.csv")
    np.testing.assert_allclose(after.score, before.score, atol=MERGED)


def test_one_report_holds_a_tuned_model_beside_a_network(predicted, tmp_path):
    found = read_predictions(predicted / "run/predictions_test.csv")
    network = Predictions(
        image_id=found.image_id,
        patient_id=found.patient_id,
        study_id=found.study_id,
        label=found.label,
        score=np.linspace(0.05, 0.95, len(found)),
        prediction=(np.linspace(0.05, 0.95, len(found)) >= 0.5).astype(np.int64),
        model="convnext",
    )
    write_predictions(tmp_path / "network.csv", network)
    files = [str(predicted / "run/predictions_test.csv"), str(tmp_path / "network.csv")]
    assert report_main([*files, "--out", str(tmp_path / "report"), "--draws", "100"]) == 0
    content = json.loads((tmp_path / "report/metrics.json").read_text())
    assert content["models"].keys() == {"run", "convnext"}


def test_answers_that_name_neither_class_are_counted_shown_and_wrong(tmp_path, capsys):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", epochs=1)
    arguments = ["--config", str(config), "--optimizer.learning_rate", "1e-12"]
    assert finetune.main(arguments) == 0
    assert predict.main(["--run", str(tmp_path / "run")]) == 0
    assert f"unparsed: {SPLITS['test']} of {SPLITS['test']} answers" in capsys.readouterr().out
    file = tmp_path / "run/predictions_test.csv"
    found = read_predictions(file)
    assert set(found.prediction.tolist()) == {UNPARSED}
    assert report_main([str(file), "--out", str(tmp_path / "report"), "--draws", "100"]) == 0
    content = json.loads((tmp_path / "report/metrics.json").read_text())
    answers = content["models"]["run"]["answers"]
    assert answers["unparsed"] == SPLITS["test"]
    assert answers["confusion"]["tp"] == answers["confusion"]["tn"] == 0
