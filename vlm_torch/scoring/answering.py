"""Generated answers, and the probability of injury from the answers' likelihoods."""

import re
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from transformers import GenerationConfig
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList

from elbow_core.evaluation import UNPARSED
from vlm_torch.inputs import IGNORE_INDEX, PromptTokens, answered_inputs, question_inputs

MAX_ANSWER_TOKENS = 32


@torch.inference_mode()
def injury_probability(
    model: Any, tokens: PromptTokens, images: Float[Tensor, "images channels size size"]
) -> Float64[Tensor, " images"]:
    """Return P(injury): a softmax over the log-likelihoods of the two answers.

    An answer's log-likelihood is the sum over its tokens, the end token included. An image for
    which one is not finite gets nan.
    """
    normal, injury = (_log_likelihood(model, tokens, images, answer) for answer in (0, 1))
    finite = normal.isfinite() & injury.isfinite()
    return torch.where(finite, torch.sigmoid(injury - normal), torch.nan)


def _log_likelihood(
    model: Any, tokens: PromptTokens, images: Tensor, answer: int
) -> Float64[Tensor, " images"]:
    inputs = answered_inputs(tokens, [answer] * len(images))
    labels = inputs.pop("labels")
    # The logits of a whole prompt, over the vocabulary, would fill a GPU.
    kept = len(tokens.answers[answer]) + 1
    inputs = {name: value.to(images.device) for name, value in inputs.items()}
    logits = model(**inputs, pixel_values=images, logits_to_keep=kept).logits
    # The logits at a position are of the next token.
    targets = labels[:, 1 - kept :].to(images.device)
    assert not (targets == IGNORE_INDEX).any()
    chosen = logits[:, :-1].double().log_softmax(-1).gather(-1, targets[..., None])
    return chosen[..., 0].sum(-1)


@torch.inference_mode()
def generate_answers(
    model: Any,
    tokens: PromptTokens,
    tokenizer: Any,
    images: Float[Tensor, "images channels size size"],
) -> list[str | None]:
    """Return the text that the model generates by greedy decoding.

    An image for which a logit is nan or plus infinity before the end of its text gets None.
    """
    inputs = question_inputs(tokens, len(images))
    settings = GenerationConfig(
        do_sample=False,
        max_new_tokens=MAX_ANSWER_TOKENS,
        eos_token_id=list(tokens.stop),
        pad_token_id=tokens.padding,
    )
    finite = _FiniteLogits(tokens, len(images))
    generated = model.generate(
        **{name: value.to(images.device) for name, value in inputs.items()},
        pixel_values=images,
        generation_config=settings,
        logits_processor=LogitsProcessorList([finite]),
    )
    answers = generated[:, len(tokens.prompt) :]
    texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
    return [
        text.strip() if is_finite else None
        for text, is_finite in zip(texts, finite.images.tolist(), strict=True)
    ]


class _FiniteLogits(LogitsProcessor):
    """Notes the images with a logit that is nan or plus infinity; changes no logit.

    Minus infinity is what transformers itself writes for tokens that a checkpoint suppresses.
    """

    def __init__(self, tokens: PromptTokens, images: int) -> None:
        self.images = torch.ones(images, dtype=torch.bool)
        self._tokens = tokens

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Look at the logits of the next token of every image."""
        stop = torch.tensor(self._tokens.stop, device=input_ids.device)
        ended = torch.isin(input_ids[:, len(self._tokens.prompt) :], stop).any(-1)
        wrong = (scores.isnan() | scores.isposinf()).any(-1)
        self.images &= (ended | ~wrong).cpu()
        return scores


def parse_answer(text: str, answers: tuple[str, str]) -> int:
    """Return the label that a generated text names: 0, 1, or `UNPARSED`.

    The text must begin with one of the answers, its letter (A or B), or both; punctuation must
    separate any further text. So "No fracture or dislocation" is not read as a fracture.
    """
    labels = {
        label
        for label, answer in enumerate(answers)
        if re.fullmatch(
            rf"(?:{'AB'[label]}[:.)]?\s*)?{re.escape(answer.strip())}(?:[\s]*[.,;:!\n].*)?"
            rf"|{'AB'[label]}(?:[:.)]\s*)?",
            text.strip().strip("'\""),
            re.IGNORECASE | re.DOTALL,
        )
    }
    return labels.pop() if len(labels) == 1 else UNPARSED
