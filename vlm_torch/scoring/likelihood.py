"""What a model answers, and how sure it is."""

import re
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from transformers import GenerationConfig

from elbow_core.evaluation.predictions import UNPARSED
from vlm_torch.tokens import IGNORED, PromptTokens, answered_inputs, question_inputs

MOST_ANSWER_TOKENS = 32


@torch.inference_mode()
def injury_probability(
    model: Any, tokens: PromptTokens, images: Float[Tensor, "images channels size size"]
) -> Float64[Tensor, " images"]:
    """Return P(injury): the two answers' likelihoods, shared out between them.

    An answer's log-likelihood is the sum over its tokens, the one that ends it included.
    """
    likelihoods = [_log_likelihood(model, tokens, images, answer) for answer in (0, 1)]
    return torch.sigmoid(likelihoods[1] - likelihoods[0])


def _log_likelihood(
    model: Any, tokens: PromptTokens, images: Tensor, answer: int
) -> Float64[Tensor, " images"]:
    inputs = answered_inputs(tokens, [answer] * len(images))
    labels = inputs.pop("labels")
    kept = len(tokens.answers[answer]) + 1  # a vocabulary's logits for a whole prompt fill a GPU
    inputs = {name: value.to(images.device) for name, value in inputs.items()}
    logits = model(**inputs, pixel_values=images, logits_to_keep=kept).logits
    # A position's logits tell of the next one.
    targets = labels[:, 1 - kept :].to(images.device)
    assert not (targets == IGNORED).any()
    chosen = logits[:, :-1].double().log_softmax(-1).gather(-1, targets[..., None])
    return chosen[..., 0].sum(-1)


@torch.inference_mode()
def generate_answers(
    model: Any,
    tokens: PromptTokens,
    tokenizer: Any,
    images: Float[Tensor, "images channels size size"],
) -> list[str]:
    """Return the text that the model writes, always taking the likeliest token."""
    inputs = question_inputs(tokens, len(images))
    settings = GenerationConfig(
        do_sample=False,
        max_new_tokens=MOST_ANSWER_TOKENS,
        eos_token_id=list(tokens.stop),
        pad_token_id=tokens.padding,
    )
    written = model.generate(
        **{name: value.to(images.device) for name, value in inputs.items()},
        pixel_values=images,
        generation_config=settings,
    )
    answers = written[:, len(tokens.prompt) :]
    return [text.strip() for text in tokenizer.batch_decode(answers, skip_special_tokens=True)]


def parse_answer(text: str, answers: tuple[str, str]) -> int:
    """Return the label that an answer names: 0, 1, or `UNPARSED`.

    It must begin with the answer, its letter (A or B), or both; what follows must be set off by
    punctuation. So "No fracture or dislocation" is not taken for a fracture.
    """
    found = {
        label
        for label, answer in enumerate(answers)
        if re.fullmatch(
            rf"(?:{'AB'[label]}[:.)]?\s*)?{re.escape(answer.strip())}(?:[\s]*[.,;:!\n].*)?"
            rf"|{'AB'[label]}(?:[:.)]\s*)?",
            text.strip().strip("'\""),
            re.IGNORECASE | re.DOTALL,
        )
    }
    return found.pop() if len(found) == 1 else UNPARSED
