import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from elbow_core.errors import ConfigError
from tests.support.vlm_runs import ARCHITECTURES, config_of
from vlm_torch.config import PromptSection
from vlm_torch.models.base import BaseFolder, Reading, find_base, load_base, read_processor
from vlm_torch.models.families import FAMILIES
from vlm_torch.tokens import IGNORED, answered_inputs, question_inputs


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def base(architecture, tmp_path_factory) -> BaseFolder:
    folder = tmp_path_factory.mktemp(architecture)
    return find_base(config_of(folder, architecture).model, folder)


def read(base: BaseFolder, architecture: str, prompt: PromptSection | None = None) -> Reading:
    section = config_of(Path(), architecture).model
    return read_processor(base, section, prompt or PromptSection())


def test_dialogue_begins_once(base, architecture):
    tokens = read(base, architecture).tokens
    bos = read(base, architecture).processor.tokenizer.bos_token_id
    for answer in tokens.answers:
        ids = tokens.prompt + answer
        assert ids.count(bos) == 1
        assert ids[0] == bos


def test_answers_are_what_the_configuration_says_and_one_end(base, architecture):
    reading = read(base, architecture)
    texts = [
        reading.processor.tokenizer.decode(answer, skip_special_tokens=True).strip()
        for answer in reading.tokens.answers
    ]
    assert texts == ["No injury", "Fracture or dislocation"]
    for answer in reading.tokens.answers:
        assert answer[-1] in reading.tokens.stop
        assert not set(answer[:-1]) & set(reading.tokens.stop)


def test_inputs_are_those_of_the_checkpoints_own_processor(base, architecture):
    reading = read(base, architecture)
    processor = reading.processor
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
    theirs = processor(
        images=[coloured], text=[text], return_tensors="pt", add_special_tokens=False
    )
    ours = question_inputs(reading.tokens, 1)
    assert torch.equal(ours["input_ids"], theirs["input_ids"])
    assert torch.equal(ours["attention_mask"], theirs["attention_mask"])
    if FAMILIES[architecture].marks_image:
        assert torch.equal(ours["token_type_ids"], theirs["token_type_ids"])
    torch.testing.assert_close(
        reading.normalise([image]), theirs["pixel_values"], rtol=0, atol=1e-6
    )


def test_loss_looks_at_the_answer_alone(base, architecture):
    tokens = read(base, architecture).tokens
    inputs = answered_inputs(tokens, [0, 1])
    for row, answer in enumerate(tokens.answers):
        learned = inputs["labels"][row] != IGNORED
        assert tuple(inputs["input_ids"][row][learned].tolist()) == answer
        assert inputs["attention_mask"][row][learned].all()


def test_full_sequence_leaves_out_image_padding_and_beginning(base, architecture):
    tokens = read(base, architecture).tokens
    inputs = answered_inputs(tokens, [0, 1], "full_sequence")
    ids, labels = inputs["input_ids"], inputs["labels"]
    ignored = labels == IGNORED
    wanted = (ids == tokens.image) | (inputs["attention_mask"] == 0)
    wanted[:, 0] = True
    assert torch.equal(ignored, wanted)
    assert torch.equal(labels[~ignored], ids[~ignored])


def test_prompt_longer_than_the_context_is_refused(base, architecture):
    prompt = PromptSection(question="Is there an injury? " * 60)
    with pytest.raises(ConfigError, match=r"prompt\.question: .* and the model sees 512"):
        read(base, architecture, prompt)


@pytest.mark.parametrize("token", ["image", "bos"])
def test_special_tokens_in_the_question_are_refused(base, architecture, token):
    tokenizer = read(base, architecture).processor.tokenizer
    text = tokenizer.bos_token if token == "bos" else tokenizer.image_token
    prompt = PromptSection(question=f"What is {text} this?")
    with pytest.raises(ConfigError, match="prompt"):
        read(base, architecture, prompt)


def test_gemma_without_token_types_looks_at_the_image_otherwise(tmp_path):
    config = config_of(tmp_path, "medgemma")
    base = find_base(config.model, tmp_path)
    tokens = read(base, "medgemma").tokens
    assert dataclasses.asdict(tokens)["marks_image"]
    model = load_base(base, config.model).eval()
    torch.manual_seed(0)
    inputs = question_inputs(tokens, 1) | {"pixel_values": torch.randn(1, 3, 32, 32)}
    with torch.inference_mode():
        marked = model(**inputs).logits
        del inputs["token_type_ids"]
        unmarked = model(**inputs).logits
    assert (marked - unmarked).abs().max() > 1e-3
