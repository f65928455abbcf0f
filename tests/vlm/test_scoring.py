import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from elbow_core.errors import UserError
from elbow_core.evaluation import UNPARSED
from tests.support.vlm_runs import ARCHITECTURES, make_config
from vlm_torch.inputs import Normalisation, question_inputs
from vlm_torch.models import find_base, load_base, read_input_format
from vlm_torch.scoring import generate_answers, injury_probability, parse_answer
from vlm_torch.scoring.answering import MAX_ANSWER_TOKENS
from vlm_torch.scoring.split import answer_batch

ANSWERS = ("No injury", "Fracture or dislocation")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def opened(request, tmp_path_factory):
    """A tiny model whose answers vary, its input format, and images."""
    folder = tmp_path_factory.mktemp(request.param)
    config = make_config(folder, request.param)
    base = find_base(config.model, folder)
    input_format = read_input_format(base, config.model, config.prompt)
    model = load_base(base, config.model).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.model.language_model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model, input_format, torch.randn(5, 3, 32, 32)


def log_likelihood(model, input_format, image, answer: int) -> float:
    """One image, one answer, without batching, padding or truncated logits."""
    tokens = input_format.tokens
    ids = torch.tensor([tokens.prompt + tokens.answers[answer]])
    inputs = {"input_ids": ids, "pixel_values": image[None]}
    if tokens.needs_token_type_ids:
        inputs["token_type_ids"] = (ids == tokens.image).long()
    logits = model(**inputs).logits[0].double().log_softmax(-1)
    start = len(tokens.prompt)
    return sum(
        float(logits[start - 1 + at, token]) for at, token in enumerate(tokens.answers[answer])
    )


def test_probability_is_the_softmax_of_the_answers_log_likelihoods(opened):
    model, input_format, images = opened
    odds = injury_probability(model, input_format.tokens, images).logit()
    with torch.inference_mode():
        for image, found in zip(images, odds.tolist(), strict=True):
            normal, injury = (
                log_likelihood(model, input_format, image, answer) for answer in (0, 1)
            )
            assert found == pytest.approx(injury - normal, abs=1e-3)
    assert odds.std() > 0.1


def test_generated_text_is_greedy(opened):
    model, input_format, images = opened
    tokens = input_format.tokens
    tokenizer = input_format.processor.tokenizer
    found = generate_answers(model, tokens, tokenizer, images[:2])
    for image, text in zip(images[:2], found, strict=True):
        inputs = question_inputs(tokens, 1) | {"pixel_values": image[None]}
        generated: list[int] = []
        with torch.inference_mode():
            while len(generated) < MAX_ANSWER_TOKENS and not (
                generated and generated[-1] in tokens.stop
            ):
                generated.append(int(model(**inputs).logits[0, -1].argmax()))
                ids = torch.tensor([list(tokens.prompt) + generated])
                inputs["input_ids"] = ids
                inputs["attention_mask"] = torch.ones_like(ids)
                if tokens.needs_token_type_ids:
                    inputs["token_type_ids"] = (ids == tokens.image).long()
        assert tokenizer.decode(generated, skip_special_tokens=True).strip() == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_image_with_numbers_that_are_not_finite_is_named_and_the_others_are_not(
    opened, monkeypatch, value
):
    model, input_format, images = opened
    tokens, tokenizer = input_format.tokens, input_format.processor.tokenizer
    spoilt = images.clone()
    spoilt[2, 0, 5, 5] = value
    scores = injury_probability(model, tokens, spoilt)
    assert scores.isnan().tolist() == [False, False, True, False, False]
    texts = generate_answers(model, tokens, tokenizer, spoilt)
    assert [text is None for text in texts] == [False, False, True, False, False]
    monkeypatch.setattr(Normalisation, "__call__", lambda *_: spoilt)
    batch = {name: np.zeros((32, 32), np.uint8) for name in ("a", "b", "c", "d", "e")}
    with pytest.raises(UserError, match="image 'c': the model computes numbers that are not"):
        answer_batch(model, input_format, ANSWERS, batch)


def test_weights_that_are_not_finite_give_no_score(opened):
    model, input_format, images = opened
    weight = model.model.language_model.norm.weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight[0] = torch.nan
    try:
        assert injury_probability(model, input_format.tokens, images).isnan().all()
        tokenizer = input_format.processor.tokenizer
        assert set(generate_answers(model, input_format.tokens, tokenizer, images)) == {None}
    finally:
        with torch.no_grad():
            weight.copy_(before)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("No injury", 0),
        ("no injury.", 0),
        ("A: No injury", 0),
        ("A", 0),
        ("(none)", UNPARSED),
        ("'Fracture or dislocation'", 1),
        ("B: Fracture or dislocation", 1),
        ("b)", 1),
        ("Fracture or dislocation, of the radial head", 1),
        ("Fracture or dislocation\nof the radial head", 1),
        ("A: Fracture or dislocation", UNPARSED),
        ("No fracture or dislocation", UNPARSED),
        ("No injury Fracture or dislocation", UNPARSED),
        ("There is no injury", UNPARSED),
        ("", UNPARSED),
        ("An effusion", UNPARSED),
    ],
)
def test_answer_is_parsed_only_where_it_is_unambiguous(text, label):
    assert parse_answer(text, ANSWERS) == label


@given(st.text())
def test_any_text_is_a_label_or_unparsed(text):
    assert parse_answer(text, ANSWERS) in (0, 1, UNPARSED)


@given(st.sampled_from((0, 1)), st.sampled_from(("", "\n", " ", ".", "!")))
def test_the_configured_answers_are_always_parsed(label, end):
    assert parse_answer(ANSWERS[label] + end, ANSWERS) == label
