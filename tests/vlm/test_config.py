import re
from pathlib import Path

import pytest

from elbow_core.config import load_config
from elbow_core.errors import ConfigError
from tests.support.commands import error_of
from tests.support.paths import ROOT
from tests.support.vlm_runs import write_config
from vlm_torch import finetune
from vlm_torch.config import FinetuneConfig

CONFIGS = ROOT / "configs/vlm"


def config_error(folder: Path, *overrides: str) -> str:
    path = write_config(folder, "medgemma")
    with pytest.raises(ConfigError) as caught:
        load_config(FinetuneConfig, path, overrides)
    return str(caught.value)


def test_shipped_configurations_have_the_papers_hyperparameters():
    medgemma = load_config(FinetuneConfig, CONFIGS / "medgemma.yaml")
    llava_rad = load_config(FinetuneConfig, CONFIGS / "llava_rad.yaml")
    for config in (medgemma, llava_rad):
        assert (config.batch_size, config.accumulate) == (32, 8)
        assert config.optimizer.weight_decay == 1e-3
        assert config.optimizer.max_gradient_norm == 0.03
        assert config.prompt.answers == ("No injury", "Fracture or dislocation")
        assert config.lora.embeddings == "trained"
    assert (medgemma.epochs, medgemma.lora.rank, medgemma.lora.alpha) == (5, 16, 32)
    assert (llava_rad.epochs, llava_rad.lora.rank, llava_rad.lora.alpha) == (4, 32, 64)
    assert medgemma.optimizer.learning_rate == 8e-5
    assert llava_rad.optimizer.learning_rate == 1e-4
    assert medgemma.optimizer.schedule == "linear"
    assert llava_rad.optimizer.schedule == "cosine"


def test_medgemma_1_5_differs_from_medgemma_in_its_weights_alone():
    first, second = (
        load_config(FinetuneConfig, CONFIGS / f"{name}.yaml").model_dump()
        for name in ("medgemma", "medgemma_1_5")
    )
    assert first["model"].pop("base")["id"] == "google/medgemma-4b-it"
    assert second["model"].pop("base")["id"] == "google/medgemma-1.5-4b-it"
    assert first.pop("run") != second.pop("run")
    assert first == second


def test_configurations_on_the_hub_name_a_commit():
    bases = [load_config(FinetuneConfig, path).model.base for path in CONFIGS.glob("*med*.yaml")]
    revisions = [base.revision for base in bases if base.kind == "hub"]
    assert len(revisions) == 2
    assert all(re.fullmatch("[0-9a-f]{40}", revision) for revision in revisions)


@pytest.mark.parametrize("name", ["tiny_medgemma", "tiny_llava_rad"])
def test_tiny_configurations_load(name):
    assert load_config(FinetuneConfig, CONFIGS / f"{name}.yaml").model.base.kind == "tiny"


def test_misspelt_key_is_named_with_the_nearest_match(tmp_path):
    message = config_error(tmp_path, "--lora.rnak=8")
    assert "lora.rnak" in message
    assert "unknown key; did you mean 'rank'?" in message


def test_float16_is_refused_for_medgemma(tmp_path):
    message = config_error(tmp_path, "--model.dtype=float16")
    assert "model" in message
    assert "float16 overflows in Gemma 3" in message


def test_accumulate_that_does_not_divide_the_batch_is_refused(tmp_path):
    assert "accumulate: 3 does not divide batch_size" in config_error(tmp_path, "--accumulate=3")


def test_equal_answers_are_refused(tmp_path):
    assert "answers: both are 'Yes'" in config_error(tmp_path, "--prompt.answers=[Yes, 'yes ']")


def test_hub_id_must_name_an_owner(tmp_path):
    message = config_error(tmp_path, "--model.base={kind: hub, id: medgemma}")
    assert "model.base.id" in message


def test_command_names_a_wrong_value_before_any_work(tmp_path, capsys):
    path = write_config(tmp_path, "medgemma")
    message = error_of(capsys, finetune, "--config", str(path), "--lora.rank", "0")
    assert "lora.rank (from the command line): 0 is below 1" in message
    assert not (tmp_path / "run").exists()


def test_help_lists_every_field(capsys):
    assert finetune.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("--lora.rank", "--model.architecture", "--optimizer.schedule", "--prompt.answers"):
        assert name in shown
