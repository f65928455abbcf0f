import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from elbow_core.errors import ConfigError
from tests.support.vlm_runs import ARCHITECTURES, make_config
from vlm_torch.config import PromptSection
from vlm_torch.inputs import IGNORE_INDEX, answered_inputs, question_inputs
from vlm_torch.models import (
    FAMILIES,
    BaseCheckpoint,
    InputFormat,
    find_base,
    load_base,
    read_input_format,
)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def base(architecture, tmp_path_factory) -> BaseCheckpoint:
    folder = tmp_path_factory.mktemp(architecture)
    return find_base(make_config(folder, architecture).model, folder)


def read(
    base: BaseCheckpoint, architecture: str, prompt: PromptSection | None = None
) -> InputFormat:
    section = make_config(Path(), architecture).model
    return read_input_format(base, section, prompt or PromptSection())


def test_dialogue_has_one_bos_token(base, architecture):
    tokens = read(base, architecture).tokens
    bos = read(base, architecture).processor.tokenizer.bos_token_id
    for answer in tokens.answers:
        ids = tokens.prompt + answer
        assert ids.count(bos) == 1
        assert ids[0] == bos


def test_answers_are_those_of_the_configuration_with_one_end_token(base, architecture):
    input_format = read(base, architecture)
    texts = [
        input_format.processor.tokenizer.decode(answer, skip_special_tokens=True).strip()
        for answer in input_format.tokens.answers
    ]
    assert texts == ["No injury", "Fracture or dislocation"]
    for answer in input_format.tokens.answers:
        assert answer[-1] in input_format.tokens.stop
        assert not set(answer[:-1]) & set(input_format.tokens.stop)


def test_inputs_equal_those_of_the_checkpoints_processor(base, architecture):
    input_format = read(base, architecture)
    processor = input_format.processor
    image = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    prompt = PromptSection()
    if architecture == "medgemma":
        parts = [{"type": "image"}, {"type": "text", "text": prompt.question}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
        )
    else:
        text = f"<s>USER: <image>\n{prompt.question} ASSISTANT:"
    coloured = np.repeat(image[..., None], 3, axis=2)
    expected = processor(
        images=[coloured], text=[text], return_tensors="pt", add_special_tokens=False
    )
    found = question_inputs(input_format.tokens, 1)
    assert torch.equal(found["input_ids"], expected["input_ids"])
    assert torch.equal(found["attention_mask"], expected["attention_mask"])
    if FAMILIES[architecture].needs_token_type_ids:
        assert torch.equal(found["token_type_ids"], expected["token_type_ids"])
    torch.testing.assert_close(
        input_format.normalise([image]), expected["pixel_values"], rtol=0, atol=1e-6
    )


def test_labels_are_those_of_the_answer(base, architecture):
    tokens = read(base, architecture).tokens
    inputs = answered_inputs(tokens, [0, 1])
    for row, answer in enumerate(tokens.answers):
        learned = inputs["labels"][row] != IGNORE_INDEX
        assert tuple(inputs["input_ids"][row][learned].tolist()) == answer
        assert inputs["attention_mask"][row][learned].all()


def test_full_sequence_ignores_image_padding_and_first_token(base, architecture):
    tokens = read(base, architecture).tokens
    inputs = answered_inputs(tokens, [0, 1], "full_sequence")
    ids, labels = inputs["input_ids"], inputs["labels"]
    ignored = labels == IGNORE_INDEX
    expected = (ids == tokens.image) | (inputs["attention_mask"] == 0)
    expected[:, 0] = True
    assert torch.equal(ignored, expected)
    assert torch.equal(labels[~ignored], ids[~ignored])


def test_prompt_longer_than_the_context_is_refused(base, architecture):
    prompt = PromptSection(question="Is there an injury? " * 60)
    with pytest.raises(ConfigError, match=r"prompt\.question: .* but the model's context is 512"):
        read(base, architecture, prompt)


@pytest.mark.parametrize("token", ["image", "bos"])
def test_special_tokens_in_the_question_are_refused(base, architecture, token):
    tokenizer = read(base, architecture).processor.tokenizer
    text = tokenizer.bos_token if token == "bos" else tokenizer.image_token
    prompt = PromptSection(question=f"What is {text} this?")
    with pytest.raises(ConfigError, match="prompt"):
        read(base, architecture, prompt)


def test_gemma_without_token_type_ids_gives_other_logits(tmp_path):
    config = make_config(tmp_path, "medgemma")
    base = find_base(config.model, tmp_path)
    tokens = read(base, "medgemma").tokens
    assert dataclasses.asdict(tokens)["needs_token_type_ids"]
    model = load_base(base, config.model).eval()
    torch.manual_seed(0)
    inputs = question_inputs(tokens, 1) | {"pixel_values": torch.randn(1, 3, 32, 32)}
    with torch.inference_mode():
        with_ids = model(**inputs).logits
        del inputs["token_type_ids"]
        without_ids = model(**inputs).logits
    assert (with_ids - without_ids).abs().max() > 1e-3
