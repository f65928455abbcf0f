import copy

import pytest
import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from tests.support.vlm_runs import ARCHITECTURES, make_config
from vlm_torch.config import LoraSection
from vlm_torch.inputs import answered_inputs
from vlm_torch.lora import add_lora, count_trainable
from vlm_torch.models import FAMILIES, find_base, load_base, read_input_format

LORA = LoraSection(rank=4, alpha=8, dropout=0.0)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def opened(architecture, tmp_path_factory):
    """A tiny model and a batch for it."""
    folder = tmp_path_factory.mktemp(architecture)
    config = make_config(folder, architecture)
    base = find_base(config.model, folder)
    input_format = read_input_format(base, config.model, config.prompt)
    torch.manual_seed(0)
    batch = answered_inputs(input_format.tokens, [0, 1]) | {
        "pixel_values": torch.randn(2, 3, 32, 32)
    }
    return load_base(base, config.model), batch


@pytest.fixture
def model(opened):
    return copy.deepcopy(opened[0])


def names_of(model: nn.Module, kind: type) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, kind)}


def test_every_linear_layer_except_the_output_is_adapted(model):
    linear = names_of(model, nn.Linear)
    add_lora(model, LORA)
    assert names_of(model, LoraLayer) == linear - {"lm_head"}
    assert {name.split(".")[1] for name in linear - {"lm_head"}} >= {
        "vision_tower",
        "language_model",
    }


def test_trained_weights_are_float32_and_frozen_ones_bfloat16(model):
    adapted = add_lora(model.to(torch.bfloat16), LORA)
    trained = {p.dtype for p in adapted.parameters() if p.requires_grad}
    frozen = {
        p.dtype
        for name, p in adapted.named_parameters()
        if not p.requires_grad and ".lora_" not in name
    }
    assert trained == {torch.float32}
    assert frozen == {torch.bfloat16}


def test_tied_output_stays_tied_to_the_trained_embeddings(model, opened):
    tied = model.config.get_text_config().tie_word_embeddings
    adapted = add_lora(model, LORA)
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=0.1)
    adapted(**opened[1]).loss.backward()
    optimizer.step()
    embeddings = model.get_input_embeddings().modules_to_save["default"].weight
    output = model.get_output_embeddings()
    if tied:
        assert output.modules_to_save["default"].weight is embeddings
    else:
        assert isinstance(output, nn.Linear)
    assert not torch.equal(embeddings, model.get_input_embeddings().original_module.weight)


def test_every_trained_parameter_gets_a_gradient(model, opened):
    adapted = add_lora(model, LORA)
    adapted(**opened[1]).loss.backward()
    without = [n for n, p in adapted.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_untrained_adapter_does_not_change_the_logits(model, opened):
    model.eval()
    with torch.inference_mode():
        before = model(**opened[1]).logits
        after = add_lora(model, LORA).eval()(**opened[1]).logits
    torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_with_frozen_embeddings_only_low_rank_updates_are_trained(model):
    adapted = add_lora(model, LORA.model_copy(update={"embeddings": "frozen"}))
    assert count_trainable(adapted)[1] == 0
    assert all(".lora_" in n for n, p in adapted.named_parameters() if p.requires_grad)


def test_gradient_checkpointing_gives_the_same_gradients(model, opened):
    adapted = add_lora(model, LORA)
    adapted.train()
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        adapted.zero_grad()
        adapted(**opened[1]).loss.backward()
        gradients.append(
            {n: p.grad.clone() for n, p in adapted.named_parameters() if p.grad is not None}
        )
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("architecture", "rank", "low_rank", "other"),
    [
        ("medgemma", 16, 38_497_792, 262_208 * 2560),
        ("llava_rad", 32, 85_680_128, 32_001 * 4096),
    ],
    ids=ARCHITECTURES,
)
def test_published_models_have_the_published_numbers_of_parameters(
    architecture, rank, low_rank, other
):
    family = FAMILIES[architecture]
    with torch.device("meta"):
        model = family.model._from_config(family.published_config(), dtype=torch.bfloat16)
        adapted = add_lora(model, LoraSection(rank=rank, alpha=2 * rank))
    assert count_trainable(adapted) == (low_rank, other)
