import pytest
import torch

from elbow_core.config import load_config
from tests.support.paths import ROOT
from tests.support.vlm_runs import ARCHITECTURES, config_of, write_config
from vlm_torch import finetune
from vlm_torch.config import FinetuneConfig
from vlm_torch.lora.layers import add_lora
from vlm_torch.models.base import find_base, load_base, real_shapes
from vlm_torch.models.families import FAMILIES
from vlm_torch.training.memory import TEXT_TOKENS, Kept, count_holdings, memory_table

# Joining image and text by other means than the model's, which only shapes allow.
JOINING = 0.05


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_counted_activations_are_those_of_a_real_step(tmp_path, architecture):
    config = config_of(tmp_path, architecture, batch_size=4)
    counted = count_holdings(config, real_shapes(config.model, tmp_path))
    base = find_base(config.model, tmp_path)
    adapted = add_lora(load_base(base, config.model), config.lora).train()
    image_token = adapted.config.image_token_id
    image_tokens = 16 if architecture == "medgemma" else 64
    ids = torch.full((2, image_tokens + TEXT_TOKENS), 9)
    ids[:, 1 : 1 + image_tokens] = image_token
    inputs = {"input_ids": ids, "labels": ids, "pixel_values": torch.randn(2, 3, 32, 32)}
    kept = Kept(adapted)
    with kept.watch():
        adapted(**inputs, use_cache=False)
    assert kept.outside + sum(kept.inside.values()) == pytest.approx(counted.kept, rel=JOINING)


def test_checkpointing_four_bits_and_frozen_embeddings_each_save_memory(tmp_path):
    config = config_of(tmp_path, "medgemma")
    shapes = real_shapes(config.model, tmp_path)
    found = count_holdings(config, shapes)
    lora = config.lora.model_copy(update={"embeddings": "frozen"})
    frozen = count_holdings(config.model_copy(update={"lora": lora}), shapes)
    assert found.kept_with_checkpointing < found.kept
    assert frozen.trained() < found.trained()
    assert found.weights(torch.bfloat16, True) < found.weights(torch.bfloat16, False)
    assert found.weights(torch.bfloat16, False) == 2 * found.frozen


def test_dry_run_prints_a_table_and_touches_nothing(tmp_path, capsys):
    path = write_config(tmp_path, "llava_rad")
    assert finetune.main(["--config", str(path), "--dry-run"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 8
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_documented_table_is_what_the_dry_run_counts(architecture):
    config = load_config(FinetuneConfig, ROOT / f"configs/vlm/{architecture}.yaml")
    table = memory_table(config, FAMILIES[architecture].published_config())
    assert table in (ROOT / "docs/vlm.md").read_text(encoding="utf-8")
