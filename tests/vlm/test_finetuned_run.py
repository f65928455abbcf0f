"""A finished run: its predictions, its merged checkpoint, and reports on it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from elbow_core.dataset import open_prepared
from elbow_core.evaluation import UNPARSED, Predictions, read_predictions, write_predictions
from elbow_core.evaluation.report.__main__ import main as report_main
from tests.support.commands import error_of
from tests.support.small_data import SPLITS, write_prepared
from tests.support.vlm_runs import copy_run, edit_card, write_config
from vlm_torch import finetune, merge, predict, scoring
from vlm_torch.lora import load_adapter, open_finetuned_run
from vlm_torch.models import load_base, read_input_format
from vlm_torch.scoring import generate_answers, injury_probability
from vlm_torch.scoring.answer_log import AnswerLog

MERGED = 1e-4  # absolute, on probabilities


@pytest.fixture(scope="module")
def merged(workspace, tmp_path_factory) -> Path:
    """A copy of the finished run with its merged checkpoint."""
    run = copy_run(workspace, tmp_path_factory.mktemp("merged") / workspace.name)
    assert merge.main(["--run", str(run)]) == 0
    return run


def test_finetuned_model_beats_chance_on_its_training_images(workspace):
    found = read_predictions(workspace / "run/predictions_train.csv")
    assert len(found) == SPLITS["train"]
    assert np.mean(found.prediction == found.label) >= 0.8  # by chance with probability 0.0008
    assert found.score[found.label == 1].mean() > found.score[found.label == 0].mean() + 0.2


def test_predictions_hold_every_image_and_the_generated_answers(workspace):
    found = read_predictions(workspace / "run/predictions_test.csv")
    data = open_prepared(workspace / "data")
    rows = [data.rows[position] for position in data.positions("test")]
    assert found.image_id.tolist() == [row.image_id for row in rows]
    assert found.model == "run"
    assert found.answer is not None
    for text, label in zip(found.answer, found.prediction, strict=True):
        if label != UNPARSED:
            assert text.startswith(("No injury", "Fracture or dislocation")[label])


def test_predictions_do_not_depend_on_the_batch_size_or_on_an_interruption(workspace, tmp_path):
    run = copy_run(workspace, tmp_path / "copy")
    before = read_predictions(run / "predictions_test.csv")
    finetuned_run = open_finetuned_run(run, None)
    log = run / ".predictions_test.jsonl"
    append = AnswerLog.append

    def append_and_interrupt(log, answers):
        append(log, answers)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnswerLog, "append", append_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            scoring.predict(finetuned_run, "test", 3)
    assert len(log.read_text().splitlines()) == 1 + 3
    with log.open("a") as file:
        file.write('{"score": 0.5, "te')  # an incomplete line
    scoring.predict(finetuned_run, "test", 5)
    after = read_predictions(run / "predictions_test.csv")
    assert not log.exists()
    assert after.image_id.tolist() == before.image_id.tolist()
    np.testing.assert_allclose(after.score, before.score, atol=1e-6)
    assert after.prediction.tolist() == before.prediction.tolist()


def test_merged_checkpoint_opens_in_plain_transformers_with_equal_scores(workspace, merged):
    run = open_finetuned_run(merged, None)
    input_format = read_input_format(run.base, run.config.model, run.config.prompt)
    data = open_prepared(workspace / "data")
    images = [data.archive[position] for position in data.positions("test").tolist()]
    pixels = input_format.normalise(images)
    assert run.adapter is not None
    adapted = load_adapter(load_base(run.base, run.config.model), run.adapter, run.card.lora).eval()
    plain = AutoModelForImageTextToText.from_pretrained(merged / "merged").eval()
    expected = injury_probability(adapted, input_format.tokens, pixels)
    found = injury_probability(plain, input_format.tokens, pixels)
    assert expected.std() > 0.01
    assert (found - expected).abs().max() < MERGED
    processor = AutoProcessor.from_pretrained(merged / "merged")
    tokenizer = processor.tokenizer
    assert generate_answers(plain, input_format.tokens, tokenizer, pixels) == generate_answers(
        adapted, input_format.tokens, tokenizer, pixels
    )


def test_merged_checkpoint_differs_from_the_base_in_every_adapted_weight(merged):
    run = open_finetuned_run(merged, None)
    base = load_file(run.base.path / "model.safetensors")
    found = load_file(merged / "merged/model.safetensors")
    assert base.keys() == found.keys()
    same = {name for name in base if torch.equal(base[name], found[name])}
    linear = {name for name in base if "_proj.weight" in name or ".fc1.weight" in name}
    unused = {name for name in linear if "vision_tower.encoder.layer.2." in name}
    assert same & linear == unused
    assert any("embed_tokens" in name for name in base.keys() - same)


def test_merged_predictions_equal_the_adapters(merged):
    before = read_predictions(merged / "predictions_test.csv")
    assert predict.main(["--run", str(merged), "--split", "test", "--merged"]) == 0
    after = read_predictions(merged / "predictions_test.csv")
    np.testing.assert_allclose(after.score, before.score, atol=MERGED)


def test_merged_checkpoint_needs_neither_peft_nor_the_adapter(merged, tmp_path):
    run = copy_run(merged.parent, tmp_path / "copy")
    shutil.rmtree(run / "adapter")
    versions = json.loads((run / "merged/card.json").read_text())["versions"]
    edit_card(run / "merged", versions=versions | {"peft": "0.21.999"})
    before = (run / "predictions_test.csv").read_bytes()
    (run / "predictions_test.csv").unlink()
    without_peft = "import sys; sys.modules['peft'] = None; from vlm_torch.predict import main; "
    command = f"sys.exit(main(['--run', {str(run)!r}, '--merged']))"
    done = subprocess.run(
        [sys.executable, "-c", without_peft + command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len((run / "predictions_test.csv").read_bytes().splitlines()) == len(before.splitlines())


def test_merged_checkpoint_of_another_release_of_transformers_is_refused(merged, tmp_path, capsys):
    run = copy_run(merged.parent, tmp_path / "copy")
    versions = json.loads((run / "merged/card.json").read_text())["versions"]
    edit_card(run / "merged", versions=versions | {"transformers": "5.5.0"})
    message = error_of(capsys, predict, "--run", str(run), "--merged")
    assert "was trained under transformers 5.5.0" in message


def test_prediction_of_moved_data(workspace, tmp_path, capsys):
    run = copy_run(workspace, tmp_path / "copy")
    text = (run / "config.yaml").read_text().replace(str(workspace / "data"), "/nowhere/data")
    (run / "config.yaml").write_text(text)
    assert "with --data DIR" in error_of(capsys, predict, "--run", str(run))
    before = (run / "predictions_test.csv").read_bytes()
    arguments = ["--run", str(run), "--data", str(workspace / "data"), "--batch-size", "4"]
    assert predict.main(arguments) == 0
    assert (run / "predictions_test.csv").read_bytes() == before
    write_prepared(tmp_path / "other", seed=7)
    message = error_of(capsys, predict, "--run", str(run), "--data", str(tmp_path / "other"))
    assert "is not the data that" in message


def test_one_report_holds_a_finetuned_model_and_a_network(workspace, tmp_path):
    found = read_predictions(workspace / "run/predictions_test.csv")
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
    files = [str(workspace / "run/predictions_test.csv"), str(tmp_path / "network.csv")]
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
