import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from elbow_core.evaluation import report
from elbow_core.evaluation.predictions import (
    UNPARSED,
    Predictions,
    read_predictions,
    write_predictions,
)
from elbow_core.prepared import open_prepared
from tests.small_data import SPLITS, write_prepared
from tests.vlm_runs import ARCHITECTURES, fail, write_config
from vlm_torch import finetune, merge, predict
from vlm_torch.adapter import load_adapter
from vlm_torch.base import load_base, read_processor
from vlm_torch.scoring import generate_answers, injury_probability
from vlm_torch.tuned import open_tuned

EPOCHS = 12
STEPS = EPOCHS * SPLITS["train"] // 8
MERGED = 1e-4  # absolute, on probabilities


def rows_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def tuned(request, tmp_path_factory) -> Path:
    """The folder of a finished run of each architecture."""
    folder = tmp_path_factory.mktemp(request.param)
    write_prepared(folder / "data")
    config = write_config(folder, request.param, epochs=EPOCHS, checkpoint_every=4)
    assert finetune.main(["--config", str(config)]) == 0
    return folder


@pytest.fixture(scope="module")
def predicted(tuned) -> Path:
    assert predict.main(["--run", str(tuned / "run"), "--split", "train"]) == 0
    assert predict.main(["--run", str(tuned / "run"), "--split", "test", "--batch-size", "4"]) == 0
    return tuned


@pytest.fixture(scope="module")
def merged(predicted) -> Path:
    assert merge.main(["--run", str(predicted / "run")]) == 0
    return predicted


def test_run_directory_holds_what_the_documents_say(tuned):
    names = {path.name for path in (tuned / "run").iterdir() if path.suffix != ".csv"}
    assert {"adapter", "checkpoints", "config.yaml", "metrics.jsonl", "run.json"} <= names
    assert sorted(path.name for path in (tuned / "run/adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    ]
    record = json.loads((tuned / "run/run.json").read_text())
    assert record["versions"]["transformers"]
    assert record["lora_parameters"] > 0


def test_loss_falls_and_every_epoch_is_validated(tuned):
    rows = rows_of(tuned / "run")
    losses = [row["loss"] for row in rows if "loss" in row]
    validated = [row["step"] for row in rows if "validation" in row]
    assert validated == list(range(3, STEPS + 1, 3))
    assert losses[-1] < 0.2 * losses[0]


def test_adapter_is_that_of_the_lowest_validation_loss(tuned):
    validated = [row for row in rows_of(tuned / "run") if "validation" in row]
    best = min(validated, key=lambda row: row["validation"]["loss"])
    card = json.loads((tuned / "run/adapter/card.json").read_text())
    assert card["step"] == best["step"]
    assert card["validation_loss"] == pytest.approx(best["validation"]["loss"])


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
    assert report.main([*files, "--out", str(tmp_path / "report"), "--draws", "100"]) == 0
    content = json.loads((tmp_path / "report/metrics.json").read_text())
    assert content["models"].keys() == {"run", "convnext"}


def test_resuming_a_finished_run_changes_nothing(tuned, capsys):
    before = (tuned / "run/adapter/card.json").stat().st_mtime_ns
    assert finetune.main(["--config", str(tuned / "finetune.yaml"), "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert (tuned / "run/adapter/card.json").stat().st_mtime_ns == before


def test_second_run_into_the_same_directory_is_refused(tuned, capsys):
    message = fail(capsys, finetune.main, "--config", str(tuned / "finetune.yaml"))
    assert "already holds a run" in message


def test_resuming_with_a_changed_configuration_names_the_key(tuned, capsys):
    arguments = ["--config", str(tuned / "finetune.yaml"), "--resume", "--lora.alpha", "32"]
    assert "lora.alpha is 32" in fail(capsys, finetune.main, *arguments)


def copy_run(tuned: Path, folder: Path) -> Path:
    """Copy a run and what lies beside it, but not its data."""
    shutil.copytree(tuned, folder, ignore=shutil.ignore_patterns("checkpoints", "merged"))
    return folder / "run"


def test_adapter_of_another_release_is_refused(tuned, tmp_path, capsys):
    run = copy_run(tuned, tmp_path / "copy")
    card = json.loads((run / "adapter/card.json").read_text())
    card["versions"]["transformers"] = "5.5.0"
    (run / "adapter/card.json").write_text(json.dumps(card))
    message = fail(capsys, predict.main, "--run", str(run))
    assert "was trained under transformers 5.5.0" in message
    assert "pip install transformers==5.5.0" in message


def test_wrong_base_for_an_adapter_is_refused(tuned, tmp_path, capsys):
    run = copy_run(tuned, tmp_path / "copy")
    (base,) = tmp_path.glob("copy/tiny_*")
    weights = load_file(base / "model.safetensors")
    name = next(name for name in weights if "q_proj" in name)
    weights[name] = weights[name] + 1
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    message = fail(capsys, predict.main, "--run", str(run), "--base", str(base))
    assert "is not the base model of" in message
    assert str(base) in message


def test_damaged_adapter_is_refused(tuned, tmp_path, capsys):
    run = copy_run(tuned, tmp_path / "copy")
    with (run / "adapter/adapter_model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    assert "adapter_model.safetensors" in fail(capsys, predict.main, "--run", str(run))


def test_unfinished_run_has_nothing_to_answer_with(tuned, tmp_path, capsys):
    run = copy_run(tuned, tmp_path / "copy")
    shutil.rmtree(run / "adapter")
    assert "holds no adapter" in fail(capsys, predict.main, "--run", str(run))


def test_data_prepared_otherwise_are_refused(tuned, tmp_path, capsys):
    run = copy_run(tuned, tmp_path / "copy")
    write_prepared(tmp_path / "other", size=48)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace(str(tuned / "data"), str(tmp_path / "other")))
    assert "the model needs" in fail(capsys, predict.main, "--run", str(run))


@pytest.mark.parametrize(
    "tuned", ["medgemma", pytest.param("llava_rad", marks=pytest.mark.slow)], indirect=True
)
def test_killed_and_resumed_run_gives_the_adapter_of_an_unbroken_one(tuned, tmp_path):
    shutil.copytree(tuned / "data", tmp_path / "data")
    text = (tuned / "finetune.yaml").read_text().replace(str(tuned), str(tmp_path))
    config = tmp_path / "finetune.yaml"
    config.write_text(text)
    command = [sys.executable, "-m", "vlm_torch.finetune", "--config", str(config), "--resume"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        state = tmp_path / "run/checkpoints/checkpoint-8/trainer_state.json"
        while process.poll() is None and not state.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert state.exists() or any(tmp_path.glob("run/checkpoints/*")), (tmp_path / "log").read_text()
    assert not (tmp_path / "run/adapter").exists()
    partial = tmp_path / "run/checkpoints/checkpoint-9999"
    partial.mkdir()  # as a kill in the middle of saving leaves it
    assert finetune.main(["--config", str(config), "--resume"]) == 0
    assert not partial.exists()
    for name in ("metrics.jsonl", "adapter/adapter_model.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tuned / "run" / name).read_bytes()


def test_bfloat16_base_trains_in_float32_with_checkpointing(tmp_path):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", gradient_checkpointing=True)
    assert finetune.main(["--config", str(config), "--model.dtype", "bfloat16"]) == 0
    losses = [row["loss"] for row in rows_of(tmp_path / "run") if "loss" in row]
    assert losses[-1] < losses[0]
    kept = load_file(tmp_path / "run/adapter/adapter_model.safetensors")
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}
    assert predict.main(["--run", str(tmp_path / "run")]) == 0


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
    assert report.main([str(file), "--out", str(tmp_path / "report"), "--draws", "100"]) == 0
    content = json.loads((tmp_path / "report/metrics.json").read_text())
    answers = content["models"]["run"]["answers"]
    assert answers["unparsed"] == SPLITS["test"]
    assert answers["confusion"]["tp"] == answers["confusion"]["tn"] == 0


def test_training_set_that_fills_no_batch_is_refused(tmp_path, capsys):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", batch_size=32)
    message = fail(capsys, finetune.main, "--config", str(config))
    assert "24 training images, copies among them, do not fill a batch of 32" in message


def test_loss_that_is_not_finite_stops_the_run_and_leaves_no_adapter(tmp_path, capsys):
    write_prepared(tmp_path / "data")
    config = write_config(tmp_path, "medgemma", log_every=1)
    arguments = ["--config", str(config), "--optimizer.learning_rate", "1e30"]
    message = fail(capsys, finetune.main, *arguments)
    assert "is not finite; the last good checkpoint is none" in message
    assert not (tmp_path / "run/adapter").exists()
