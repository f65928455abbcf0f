import pytest
import torch

from elbow_core.config import load_config
from tests.support.paths import ROOT
from tests.support.vlm_runs import ARCHITECTURES, make_config, write_config
from vlm_torch import finetune
from vlm_torch.config import FinetuneConfig
from vlm_torch.lora import add_lora
from vlm_torch.models import FAMILIES, find_base, load_base, read_model_config
from vlm_torch.training.memory import TEXT_TOKENS, SavedTensorCounter, estimate_memory
from vlm_torch.training.memory_table import memory_table

# The estimate joins image and text features by another operation than the model.
JOINING = 0.05


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_estimated_activations_are_those_of_a_real_step(tmp_path, architecture):
    config = make_config(tmp_path, architecture, batch_size=4)
    estimate = estimate_memory(config, read_model_config(config.model, tmp_path))
    base = find_base(config.model, tmp_path)
    adapted = add_lora(load_base(base, config.model), config.lora).train()
    image_token = adapted.config.image_token_id
    image_tokens = 16 if architecture == "medgemma" else 64
    ids = torch.full((2, image_tokens + TEXT_TOKENS), 9)
    ids[:, 1 : 1 + image_tokens] = image_token
    inputs = {"input_ids": ids, "labels": ids, "pixel_values": torch.randn(2, 3, 32, 32)}
    saved = SavedTensorCounter(adapted)
    with saved.count():
        adapted(**inputs, use_cache=False)
    found = saved.other_bytes + sum(saved.block_bytes.values())
    assert found == pytest.approx(estimate.activations, rel=JOINING)


def test_checkpointing_four_bits_and_frozen_embeddings_each_save_memory(tmp_path):
    config = make_config(tmp_path, "medgemma")
    shapes = read_model_config(config.model, tmp_path)
    trained = estimate_memory(config, shapes)
    lora = config.lora.model_copy(update={"embeddings": "frozen"})
    frozen = estimate_memory(config.model_copy(update={"lora": lora}), shapes)
    assert trained.activation_bytes(True) < trained.activation_bytes(False)
    assert frozen.trained_bytes() < trained.trained_bytes()
    assert trained.weight_bytes(torch.bfloat16, True) < trained.weight_bytes(torch.bfloat16, False)
    assert trained.weight_bytes(torch.bfloat16, False) == 2 * trained.frozen


def test_dry_run_prints_a_table_and_writes_nothing(tmp_path, capsys):
    path = write_config(tmp_path, "llava_rad")
    assert finetune.main(["--config", str(path), "--dry-run"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 8
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_documented_table_is_that_of_the_dry_run(architecture):
    config = load_config(FinetuneConfig, ROOT / f"configs/vlm/{architecture}.yaml")
    table = memory_table(config, FAMILIES[architecture].published_config())
    assert table in (ROOT / "docs/vlm.md").read_text(encoding="utf-8")
