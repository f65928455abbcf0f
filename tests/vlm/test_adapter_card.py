"""An adapter or a merged checkpoint is used as it was written, whole, or not at all."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from elbow_core.files import sha256_of
from tests.support.commands import refusal_of
from tests.support.vlm_runs import copy_run, edit_card
from vlm_torch import finetune, merge, predict

one_architecture = pytest.mark.parametrize("workspace", ["medgemma"], indirect=True)


@pytest.fixture
def run(workspace, tmp_path) -> Path:
    return copy_run(workspace, tmp_path / "copy")


def edit_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def edit_weights(file: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def name_files_anew(adapter: Path) -> None:
    """Write a card that names the files as they are now, as a forger would."""
    files = {path.name: sha256_of(path) for path in adapter.iterdir() if path.name != "card.json"}
    edit_card(adapter, files=files)


def damage(adapter: Path, kind: str) -> None:
    card, settings = adapter / "card.json", adapter / "adapter_config.json"
    if kind == "scale":
        edit_json(settings, lora_alpha=64)
    elif kind == "weights":
        edit_weights(adapter / "adapter_model.safetensors", lambda tensors: tensors.popitem())
    elif kind == "prompt":
        prompt = json.loads(card.read_text())["prompt"]
        edit_json(card, prompt=prompt | {"question": "Is it Tuesday?"})
    elif kind == "answers":
        prompt = json.loads(card.read_text())["prompt"]
        edit_json(card, prompt=prompt | {"answers": prompt["answers"][::-1]})
    elif kind == "preprocessing":
        preprocessing = json.loads(card.read_text())["preprocessing"]
        edit_json(card, preprocessing=preprocessing | {"sigma": 9.0})
    elif kind == "base":
        edit_json(card, base_fingerprint="2-0")
    elif kind == "files":
        edit_json(card, files={})
    elif kind == "older":
        edit_json(card, schema_version=1)
    elif kind == "newer":
        edit_json(card, schema_version=3)
    elif kind == "surplus":
        (adapter / "adapter_model.bin").write_bytes(b"pickle")
    elif kind == "missing":
        settings.unlink()
    elif kind == "pipe":
        settings.unlink()
        settings.symlink_to("/dev/zero")
    elif kind == "text":
        card.write_text("{" * 100_000)
    elif kind == "loss":
        card.write_text(card.read_text().replace('"validation_loss": ', '"validation_loss": 1e999'))


@one_architecture
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("scale", "adapter_config.json: is not the file that card.json names"),
        ("weights", "adapter_model.safetensors: is not the file that card.json names"),
        ("prompt", "card.json: has been changed since it was written"),
        ("answers", "card.json: has been changed since it was written"),
        ("preprocessing", "card.json: has been changed since it was written"),
        ("base", "card.json: has been changed since it was written"),
        ("files", "card.json: has been changed since it was written"),
        ("older", "is of version 1, which does not name all files; delete the folder and continue"),
        ("newer", "version 3 is newer than this program's 2"),
        ("surplus", "adapter_model.bin: is not a file that card.json names"),
        ("missing", "adapter_config.json: does not exist"),
        ("pipe", "adapter_config.json: is not a regular file"),
        ("text", "is not the card of an adapter"),
        ("loss", "is not the card of an adapter"),
    ],
)
def test_changed_adapter_is_refused_in_one_line(run, capsys, kind, message):
    damage(run / "adapter", kind)
    for command in (predict, merge):
        assert message in refusal_of(capsys, command, "--run", str(run))
    assert not (run / "merged").exists()


@one_architecture
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("alpha: 16", "alpha: 32", "config.yaml: lora.alpha is not what the card"),
        ("dtype: float32", "dtype: bfloat16", "config.yaml: model.dtype is not what the card"),
        ("Analyse this", "Look at this", "config.yaml: prompt.question is not what the card"),
    ],
)
def test_changed_configuration_is_refused(run, capsys, before, after, message):
    text = (run / "config.yaml").read_text()
    assert before in text
    (run / "config.yaml").write_text(text.replace(before, after))
    assert message in refusal_of(capsys, predict, "--run", str(run))


@one_architecture
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # peft imports the module that this names
        ({"megatron_config": {"a": 1}, "megatron_core": "planted"}, "which no adapter of ours has"),
        ({"auto_mapping": {"parent_library": "planted"}}, "which no adapter of ours has"),
        ({"use_dora": True}, "use_dora is True, which no adapter of ours has"),
        ({"rank_pattern": {".*": 4}}, "which no adapter of ours has"),
        ({"peft_type": "IA3"}, "which no adapter of ours has"),
        ({"unknown": 1}, "unknown is 1, which no adapter of ours has"),
        ({"target_modules": "(a+)+$"}, "target_modules is not a list of names"),
        ({"lora_alpha": 64}, "lora_alpha is 64, and the card says 16"),
        ({"r": 4}, "r is 4, and the card says 8"),
    ],
)
def test_settings_with_a_card_that_names_them_must_still_be_those_of_an_adapter(
    run, capsys, changes, message
):
    edit_json(run / "adapter/adapter_config.json", **changes)
    name_files_anew(run / "adapter")
    assert message in refusal_of(capsys, predict, "--run", str(run))


@one_architecture
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weight_that_is_not_finite_is_refused_by_name(run, capsys, value):
    changed = []

    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        changed.append(name := sorted(tensors)[3])
        tensors[name].view(-1)[0] = value

    edit_weights(run / "adapter/adapter_model.safetensors", spoil)
    name_files_anew(run / "adapter")
    message = refusal_of(capsys, predict, "--run", str(run))
    assert f"{changed[0]} holds numbers that are not finite" in message


@one_architecture
def test_missing_and_surplus_tensors_are_refused_by_name(run, capsys):
    weights = run / "adapter/adapter_model.safetensors"
    removed = []
    edit_weights(weights, lambda tensors: removed.append(tensors.popitem()))
    name_files_anew(run / "adapter")
    message = refusal_of(capsys, predict, "--run", str(run))
    assert f"{removed[0][0]} is missing (1 tensors differ)" in message
    edit_weights(weights, lambda tensors: tensors.update([removed[0], ("a.b", torch.zeros(2))]))
    name_files_anew(run / "adapter")
    message = refusal_of(capsys, predict, "--run", str(run))
    assert "a.b has no place in the model" in message


@one_architecture
def test_base_model_with_another_tokenizer_or_processor_is_refused(run, capsys):
    file = run.parent / "tiny_medgemma_base_32_0/processor_config.json"
    content = json.loads(file.read_text())
    content["image_processor"]["image_mean"] = [0.1, 0.1, 0.1]
    file.write_text(json.dumps(content))
    message = refusal_of(capsys, predict, "--run", str(run))
    assert "is not the base model of" in message


@one_architecture
def test_merged_checkpoint_is_whole_or_refused(run, capsys):
    assert merge.main(["--run", str(run)]) == 0
    capsys.readouterr()
    merged = run / "merged"
    for name in ("model.safetensors", "config.json", "tokenizer.json", "generation_config.json"):
        before = (merged / name).read_bytes()
        (merged / name).write_bytes(before + b" ")
        message = refusal_of(capsys, predict, "--run", str(run), "--merged")
        assert f"{merged / name}: is not the file that card.json names" in message
        (merged / name).write_bytes(before)
    (merged / "tokenizer_config.json").unlink()
    message = refusal_of(capsys, predict, "--run", str(run), "--merged")
    assert f"{merged / 'tokenizer_config.json'}: does not exist" in message
    assert "merge the run again" in message


@one_architecture
def test_deleted_adapter_is_written_again_by_resuming(workspace, tmp_path):
    """As the message on an adapter of an older version says."""
    shutil.copytree(workspace, tmp_path / "copy", ignore=shutil.ignore_patterns("lock", "data"))
    run = tmp_path / "copy/run"
    before = {file.name: file.read_bytes() for file in (run / "adapter").iterdir()}
    shutil.rmtree(run / "adapter")
    arguments = ["--config", str(workspace / "finetune.yaml"), "--run", str(run), "--resume"]
    assert finetune.main(arguments) == 0
    assert {file.name: file.read_bytes() for file in (run / "adapter").iterdir()} == before
