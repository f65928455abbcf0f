"""The assembly of LLaVA-Rad, on a miniature of its published parts."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.support import llava_rad_release as release
from tests.support.commands import refusal_of
from tests.support.paths import names_in
from tests.support.tolerances import NETWORK
from vlm_torch import assemble_llava_rad
from vlm_torch.config import FolderBase, ModelSection, PromptSection
from vlm_torch.models import find_base, load_base, read_input_format

MODEL = ModelSection(architecture="llava_rad", base=FolderBase(path=Path("later")), dtype="float32")
PROMPT = PromptSection(question="Classify this radiograph")


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> Path:
    return release.write_release(tmp_path_factory.mktemp("release") / "parts")


def assemble(parts: Path, out: Path, *more: str) -> Path:
    arguments = ["--parts", str(parts), "--out", str(out), "--dtype", "float32", *more]
    assert assemble_llava_rad.main(arguments) == 0
    return out


def assembly_error(capsys, *arguments: str) -> str:
    """Run the command, which must exit with status 2 and print one line; return the line."""
    return refusal_of(capsys, assemble_llava_rad, *arguments)


def published_weights(
    parts: Path, init: str
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """The weights that the reference takes for an initialisation: tower, projector, language."""
    state = torch.load(parts / "biomedclipcxr_518_checkpoint.pt", weights_only=True)["state_dict"]
    start = "module.visual.trunk."
    trunk = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
    file = "mm_projector.bin" if init == "projector" else "non_lora_trainables.bin"
    projector = {
        key.rpartition("mm_projector.")[2]: value
        for key, value in torch.load(parts / file, weights_only=True).items()
    }
    language = load_file(parts / "vicuna-7b-v1.5/model.safetensors")
    if init == "merged":
        lora = torch.load(parts / "adapter_model.bin", weights_only=True)
        for key in [key for key in lora if key.endswith(".lora_A.weight")]:
            name = key.removeprefix("base_model.model.").replace(".lora_A", "")
            up = lora[key.replace("lora_A", "lora_B")]
            language[name] += release.ALPHA / release.RANK * up @ lora[key]
    return trunk, projector, language


@pytest.mark.parametrize("init", ["merged", "released_projector", "projector"])
def test_assembled_model_gives_the_logits_of_the_published_architecture(parts, tmp_path, init):
    options = ["--projector", str(parts / "mm_projector.bin")] if init == "projector" else []
    out = assemble(parts, tmp_path / "assembled", "--init", init, *options)
    section = MODEL.model_copy(update={"base": FolderBase(path=out)})
    base = find_base(section, tmp_path)
    input_format = read_input_format(base, section, PROMPT)
    model = load_base(base, section)
    image = np.random.default_rng(1).integers(0, 256, (release.IMAGE_SIZE,) * 2).astype(np.uint8)
    pixels = input_format.normalise([image])
    tokens = input_format.tokens
    ids = [*tokens.prompt, *tokens.answers[1]]
    assert ids.count(tokens.image) == release.IMAGE_TOKENS
    with torch.inference_mode():
        found = model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
    trunk, projector, language = published_weights(parts, init)
    expected = release.forward(trunk, projector, language, pixels, ids, tokens.image)
    # The image token's row of the output layer is zero.
    scale = expected.abs().max()
    assert scale > 0.5
    assert (found[:, : expected.shape[1]] - expected).abs().max() < NETWORK * scale
    assert not found[:, expected.shape[1] :].any()


def test_merged_init_changes_the_linear_layers_of_the_language_model_only(parts, tmp_path):
    plain = assemble(parts, tmp_path / "plain")
    merged = assemble(parts, tmp_path / "merged", "--init", "merged")
    first, second = (load_file(folder / "model.safetensors") for folder in (plain, merged))
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed == {name for name in first if ".layers." in name and "_proj." in name}
    assert len(changed) == release.LAYERS * 7


def test_prompt_has_vicunas_format_and_one_bos_token(parts, tmp_path):
    out = assemble(parts, tmp_path / "assembled")
    section = MODEL.model_copy(update={"base": FolderBase(path=out)})
    base = find_base(section, tmp_path)
    input_format = read_input_format(
        base, section, PROMPT.model_copy(update={"system": "Be brief."})
    )
    tokenizer = input_format.processor.tokenizer
    ids = [*input_format.tokens.prompt, *input_format.tokens.answers[0]]
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    image = "<image>" * release.IMAGE_TOKENS
    text = tokenizer.decode(ids, skip_special_tokens=False)
    expected = f"<s> Be brief. USER: {image} \nClassify this radiograph ASSISTANT: No injury</s>"
    assert text.replace(" ", "") == expected.replace(" ", "")


def copy_changed(parts: Path, folder: Path, name: str, update: dict, drop: str = "") -> Path:
    """Copy the parts with one file changed: keys added, or one key removed."""
    shutil.copytree(parts, folder)
    content = torch.load(folder / name, weights_only=True)
    state = content.get("state_dict", content)
    state.update(update)
    state.pop(drop, None)
    torch.save(content, folder / name)
    return folder


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("biomedclipcxr_518_checkpoint.pt", "module.visual.trunk.reg_token"),
        ("biomedclipcxr_518_checkpoint.pt", "module.audio.weight"),
        ("non_lora_trainables.bin", "base_model.model.model.mm_projector.4.weight"),
        ("adapter_model.bin", "base_model.model.lm_head.lora_C.weight"),
    ],
)
def test_unknown_key_is_named(parts, tmp_path, capsys, name, key):
    folder = copy_changed(parts, tmp_path / "parts", name, {key: torch.zeros(1)})
    message = assembly_error(
        capsys, "--parts", str(folder), "--out", str(tmp_path / "out"), "--init", "merged"
    )
    assert name in message
    assert key.removeprefix("module.visual.trunk.") in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        (
            "biomedclipcxr_518_checkpoint.pt",
            "module.visual.trunk.blocks.1.ls2.gamma",
            "encoder.layer.1.layer_scale2.lambda1",
        ),
        ("non_lora_trainables.bin", "base_model.model.model.mm_projector.2.bias", "linear_2.bias"),
        (
            "adapter_model.bin",
            "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight",
            "model.layers.0.mlp.up_proj.weight",
        ),
    ],
)
def test_missing_key_is_named(parts, tmp_path, capsys, name, key, expected):
    folder = copy_changed(parts, tmp_path / "parts", name, {}, drop=key)
    message = assembly_error(
        capsys, "--parts", str(folder), "--out", str(tmp_path / "out"), "--init", "merged"
    )
    assert expected in message
    assert not (tmp_path / "out").exists()


def test_projector_of_another_width_is_refused(parts, tmp_path, capsys):
    key = "base_model.model.model.mm_projector.0.weight"
    update = {key: torch.zeros(release.WIDTH, 5)}
    folder = copy_changed(parts, tmp_path / "parts", "non_lora_trainables.bin", update)
    message = assembly_error(capsys, "--parts", str(folder), "--out", str(tmp_path / "out"))
    assert "linear_1.weight" in message


def test_missing_file_is_named(parts, tmp_path, capsys):
    message = assembly_error(capsys, "--parts", str(tmp_path), "--out", str(tmp_path / "out"))
    assert "biomedclipcxr_518_checkpoint.pt: is missing" in message


def test_projector_file_without_init_projector_is_refused(parts, tmp_path, capsys):
    message = assembly_error(
        capsys,
        *("--parts", str(parts), "--out", str(tmp_path / "out")),
        *("--projector", str(parts / "mm_projector.bin")),
    )
    assert "--projector" in message


def test_checkpoint_records_how_it_was_assembled(parts, tmp_path):
    out = assemble(parts, tmp_path / "assembled", "--init", "merged")
    assert json.loads((out / "assembly.json").read_text()) == {"init": "merged", "dtype": "float32"}


@pytest.mark.parametrize("value", [float("nan"), 1e39])
def test_weight_that_is_not_finite_is_named(parts, tmp_path, capsys, value):
    """In the type of the result: 1e39 is above float16's and bfloat16's range."""
    shutil.copytree(parts, tmp_path / "parts")
    file = tmp_path / "parts/non_lora_trainables.bin"
    content = torch.load(file, weights_only=True)
    key = next(key for key in content if key.endswith("0.bias"))
    content[key] = content[key].double()
    content[key][0] = value
    torch.save(content, file)
    arguments = ["--parts", str(tmp_path / "parts"), "--out", str(tmp_path / "out")]
    message = assembly_error(capsys, *arguments)
    assert "linear_1.bias holds numbers that are not finite in bfloat16" in message
    assert names_in(tmp_path) == ["parts"]
