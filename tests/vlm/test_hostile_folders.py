"""Folders of models: nothing in them is run, nothing is asked, nothing is requested."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from elbow_core.errors import ConfigError
from tests.support import llava_rad_release as release
from tests.support.commands import refusal_of
from tests.support.paths import ROOT
from tests.support.small_data import write_prepared
from tests.support.unsafe_advice import advises_unsafe_loading
from tests.support.vlm_runs import copy_run, make_config, write_config
from vlm_torch import finetune
from vlm_torch.config import FolderBase
from vlm_torch.models import FAMILIES, base_checkpoint, find_base, load_base, read_input_format

one_architecture = pytest.mark.parametrize("workspace", ["medgemma"], indirect=True)
CODE = "from pathlib import Path\nPath({marker!r}).touch()\nclass Planted: pass\n"
CONFIGS = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
)
PLANTED = {
    "AutoConfig": "planted.Planted",
    "AutoModel": "planted.Planted",
    "AutoModelForCausalLM": "planted.Planted",
    "AutoProcessor": "planted.Planted",
    "AutoTokenizer": ["planted.Planted", None],
    "AutoImageProcessor": "planted.Planted",
}


def plant(folder: Path, name: str, marker: Path, **more: object) -> None:
    """Let a file of a checkpoint name code that makes a file when it is run."""
    (folder / "planted.py").write_text(CODE.format(marker=str(marker)))
    file = folder / name
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | {"auto_map": PLANTED} | more))


@pytest.fixture
def base(tmp_path) -> Path:
    FAMILIES["medgemma"].write_tiny_checkpoint(tmp_path / "base", 32, 0)
    return tmp_path / "base"


def section_of(folder: Path, base: Path):
    return make_config(folder, "medgemma").model.model_copy(update={"base": FolderBase(path=base)})


@pytest.mark.parametrize("name", CONFIGS)
def test_checkpoint_with_code_is_refused_in_one_line(tmp_path, capsys, base, name):
    write_prepared(tmp_path / "data")
    plant(base, name, tmp_path / "ran")
    model = {"architecture": "medgemma", "base": {"kind": "folder", "path": str(base)}}
    config = write_config(tmp_path, "medgemma", model=model)
    capsys.readouterr()  # of writing the checkpoint
    message = refusal_of(capsys, finetune, "--config", str(config))
    assert f"{base / name}: auto_map names Python code" in message
    assert not advises_unsafe_loading(message)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(
    "classes",
    [
        {},
        {"model_type": "planted", "processor_class": "Planted", "tokenizer_class": "Planted"},
    ],
)
def test_code_is_not_run_even_by_transformers_alone(tmp_path, monkeypatch, base, name, classes):
    """Without the check of ours; `classes` are unknown to transformers."""
    plant(base, name, tmp_path / "ran", **classes)
    monkeypatch.setattr(base_checkpoint, "require_plain_folder", lambda *_: None)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    section = section_of(tmp_path, base)
    try:
        found = find_base(section, tmp_path)
        read_input_format(found, section, make_config(tmp_path, "medgemma").prompt)
        load_base(found, section)
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message
        assert not advises_unsafe_loading(message)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("key", ["auto_map", "custom_generate"])
def test_code_that_a_nested_part_names_is_found(tmp_path, base, key):
    file = base / "config.json"
    content = json.loads(file.read_text())
    content["vision_config"]["more"] = [{key: {"AutoModel": "planted.Planted"}}]
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=f"config.json: {key} names Python code"):
        find_base(section_of(tmp_path, base), tmp_path)


def test_adapter_in_the_place_of_a_base_model_is_refused(tmp_path, base):
    """transformers would open the base model that it names, from the hub too."""
    settings = {"peft_type": "LORA", "base_model_name_or_path": "owner/elsewhere"}
    (base / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=r"adapter_config\.json: belongs to an adapter"):
        find_base(section_of(tmp_path, base), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1, "a": 2}', '{"a": NaN}', "[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_damaged_configuration_is_named(tmp_path, base, name, text):
    (base / name).write_text(text)
    with pytest.raises(ConfigError, match=rf"{name}: (is not JSON|holds no JSON)") as caught:
        find_base(section_of(tmp_path, base), tmp_path)
    assert "\n" not in str(caught.value)


def test_configuration_that_is_no_regular_file_is_named(tmp_path, base):
    (base / "generation_config.json").unlink()
    os.mkfifo(base / "generation_config.json")
    with pytest.raises(ConfigError, match=r"generation_config\.json: cannot be read"):
        find_base(section_of(tmp_path, base), tmp_path)


@pytest.mark.parametrize("name", ["../other/model.safetensors", "/weights.safetensors", "no", 1])
def test_index_that_names_weights_elsewhere_is_refused(tmp_path, base, name):
    index = {"metadata": {}, "weight_map": {"a.weight": "model.safetensors", "b.weight": name}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigError, match="is not a file of weights beside it"):
        find_base(section_of(tmp_path, base), tmp_path)


def test_configuration_that_names_weights_is_refused(tmp_path, base):
    file = base / "config.json"
    content = json.loads(file.read_text()) | {"transformers_weights": "adapter_model.bin"}
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="transformers_weights names a file of weights"):
        find_base(section_of(tmp_path, base), tmp_path)


def test_every_call_of_from_pretrained_is_for_local_files_alone():
    """One function opens parts of checkpoints; peft's and a call without a name are apart."""
    calls = []
    for file in sorted((ROOT / "vlm_torch").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("from_pretrained", "snapshot_download", "hf_hub_download"):
                options = {word.arg: ast.unparse(word.value) for word in node.keywords}
                nameless = bool(node.args) and ast.unparse(node.args[0]) == "None"
                assert nameless or options["local_files_only"] == "True", file
                assert options.get("trust_remote_code", "False") == "False", file
                calls.append(file.name)
    assert calls == ["adapter.py", "llava_rad_assembly.py", "local_files.py"]


# Runs commands one after the other without a network, and prints the status and the lines of each.
# Every look-up of a host and every connection ends the process.
OFFLINE = """
import contextlib, io, json, os, socket, sys

def refuse(*arguments, **_):
    os.write(1, f"A REQUEST: {arguments}\\n".encode())
    os._exit(99)

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse
from elbow_core import cli
from vlm_torch import assemble_llava_rad, finetune, merge, predict

results = []
for name, *arguments in json.loads(sys.argv[1]):
    sys.argv = ["command", *arguments]
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written):
            cli.run(globals()[name].main)
    except SystemExit as ended:
        results.append([ended.code, written.getvalue()])
print(json.dumps(results))
"""


def run_offline(folder: Path, commands: list[list[str]], answers: str | None) -> list:
    """Run commands in a process that may ask the hub, but has no network."""
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, json.dumps(commands)],
        cwd=folder,
        env=environment,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@one_architecture
def test_nothing_is_requested_and_nothing_asked_whatever_a_folder_lacks(workspace, tmp_path):
    """With names of folders that would do for names on the hub."""
    run = copy_run(workspace, tmp_path / "runs")
    shutil.copytree(run.parent / "tiny_medgemma_base_32_0", tmp_path / "models/base")
    release.write_release(tmp_path / "parts")
    config = yaml.safe_load((workspace / "finetune.yaml").read_text())
    commands: list[list[str]] = [["predict", "--run", "runs/run", "--batch-size", "4"]]
    expected = [(0, "")]

    def refuse(message: str, name: str, *arguments: str) -> None:
        commands.append([name, *arguments])
        expected.append((2, message))

    def refuse_base(message: str, name: str, base: dict) -> None:
        model = config["model"] | {"base": base}
        (tmp_path / f"{name}.yaml").write_text(
            yaml.safe_dump(config | {"run": str(tmp_path / "new"), "model": model})
        )
        refuse(message, "finetune", "--config", f"{name}.yaml")

    refuse_base("OWNER/NAME on the hub", "dotted", {"kind": "hub", "id": "./base"})
    refuse_base("OWNER/NAME on the hub", "long", {"kind": "hub", "id": "runs/run/adapter"})
    message = "there is a folder models here, and no missing in it"
    refuse_base(message, "missing", {"kind": "hub", "id": "models/missing"})
    for path in ("models/nothing", "nothing", "owner/name"):
        refuse_base(
            f"{path}: no such folder",
            f"no_{path.replace('/', '_')}",
            {"kind": "folder", "path": path},
        )
    refuse(
        "models/nothing: no such folder", "predict", "--run", "runs/run", "--base", "models/nothing"
    )
    files = {
        "config.json": "config.json: does not exist",
        "tokenizer_config.json": "tokenizer_config.json: does not exist",
        "tokenizer.json": "tokenizer.json: does not exist",
        "processor_config.json": "processor_config.json: does not exist",
        "generation_config.json": "generation_config.json: does not exist",
        "model.safetensors": "holds no weights",
    }
    for number, (name, message) in enumerate(files.items()):
        shutil.copytree(tmp_path / "models/base", tmp_path / f"models/{number}")
        (tmp_path / f"models/{number}" / name).unlink()
        refuse_base(message, f"lacking_{number}", {"kind": "folder", "path": f"models/{number}"})
    shutil.copytree(tmp_path / "models/base", tmp_path / "models/code")
    plant(tmp_path / "models/code", "config.json", tmp_path / "ran")
    refuse_base("auto_map names Python code", "code", {"kind": "folder", "path": "models/code"})
    for name in ("adapter_config.json", "adapter_model.safetensors", "card.json"):
        other = tmp_path / f"runs/{name}"
        shutil.copytree(run, other)
        (other / "adapter" / name).unlink()
        for command in ("predict", "merge"):
            refuse("", command, "--run", f"runs/{name}")
    plant(tmp_path / "parts/vicuna-7b-v1.5", "tokenizer_config.json", tmp_path / "ran")
    refuse("auto_map names", "assemble_llava_rad", "--parts", "parts", "--out", "new")
    refuse(
        "nowhere: no such folder",
        "assemble_llava_rad",
        "--parts",
        "parts",
        "--out",
        "new",
        "--language",
        "owner/nowhere",
    )
    results = run_offline(tmp_path, commands, "y\n" * 100)
    for command, (status, line), (found, written) in zip(commands, expected, results, strict=True):
        assert found == status, (command, written)
        assert line in written, command
        assert not advises_unsafe_loading(written)
        if status:
            assert len(written.splitlines()) == 1, (command, written)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "hub").exists()
