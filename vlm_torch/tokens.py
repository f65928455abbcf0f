"""Prompt and answers as tokens: the same for every image, so they are made once, and checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from elbow_core.errors import ConfigError
from vlm_torch.config import PromptSection

IGNORED = -100  # what torch's cross-entropy passes over


@dataclass(frozen=True)
class PromptTokens:
    """One dialogue, cut where the model's answer begins.

    ``answers`` holds the right answer for label 0 and for label 1, each with the token that ends
    it. ``stop`` are the tokens at which generation ends. ``marks_image`` says that the model wants
    ``token_type_ids``: Gemma 3 without them attends causally over the image, and says nothing.
    """

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], tuple[int, ...]]
    image: int
    padding: int
    stop: tuple[int, ...]
    marks_image: bool

    @property
    def longest(self) -> int:
        """Tokens of the longer dialogue."""
        return len(self.prompt) + max(map(len, self.answers))


def tokenise(
    processor: Any,
    dialogue: Callable[[Any, PromptSection, str | None], str],
    prompt: PromptSection,
    *,
    stop: tuple[int, ...],
    context: int,
    image: int,
    image_tokens: int,
    marks_image: bool,
) -> PromptTokens:
    """Tokenise the question, and the question with each answer, and check that they fit.

    Args:
        processor: of the checkpoint.
        dialogue: of the architecture; gives the text with its image tokens in place.
        prompt: question and answers.
        stop: tokens that end an answer.
        context: tokens that the model can see.
        image: the token in whose places the image's features go.
        image_tokens: how many places an image has.
        marks_image: whether the model wants ``token_type_ids``.

    Raises:
        ConfigError: a dialogue longer than the context, an answer that is never ended, or a prompt
            whose tokens change when an answer follows.
    """
    tokenizer = processor.tokenizer
    question = _encode(tokenizer, dialogue(processor, prompt, None))
    answers = []
    for number, answer in enumerate(prompt.answers):
        whole = _encode(tokenizer, dialogue(processor, prompt, answer))
        if whole[: len(question)] != question:
            raise ConfigError(
                f"prompt.answers.{number}: {answer!r} changes the tokens of the question before "
                "it, so that training and answering would differ; begin it with another letter"
            )
        rest = whole[len(question) :]
        ends = [position for position, token in enumerate(rest) if token in stop]
        if not ends:
            raise ConfigError(
                f"prompt.answers.{number}: {answer!r} is not followed by a token that ends it; the "
                "checkpoint's chat template does not fit its generation_config.json"
            )
        answers.append(tuple(rest[: ends[0] + 1]))
    if question.count(image) != image_tokens:
        raise ConfigError(
            f"prompt: has {question.count(image)} tokens for the image, which has {image_tokens}; "
            "take the image's token out of the text"
        )
    tokens = PromptTokens(
        prompt=tuple(question),
        answers=(answers[0], answers[1]),
        image=image,
        padding=tokenizer.pad_token_id,
        stop=stop,
        marks_image=marks_image,
    )
    if tokens.longest > context:
        raise ConfigError(
            f"prompt.question: with the image and the longer answer it is {tokens.longest} tokens, "
            f"and the model sees {context}; shorten it"
        )
    return tokens


def _encode(tokenizer: Any, text: str) -> list[int]:
    """Encode with exactly one ``<bos>``, whether or not the template wrote one."""
    ids = list(tokenizer(text, add_special_tokens=False).input_ids)
    if ids[0] != tokenizer.bos_token_id:
        ids = [tokenizer.bos_token_id, *ids]
    if tokenizer.bos_token_id in ids[1:]:
        raise ConfigError(f"prompt: holds {tokenizer.bos_token!r}; take it out of the text")
    return ids


def question_inputs(tokens: PromptTokens, images: int) -> dict[str, Int64[Tensor, "images length"]]:
    """Return the prompt for so many images, to be answered; they need no padding."""
    ids = torch.tensor([tokens.prompt] * images)
    return _with_masks(tokens, ids, torch.ones_like(ids))


def answered_inputs(
    tokens: PromptTokens, answers: list[int], loss: str = "answer"
) -> dict[str, Int64[Tensor, "images length"]]:
    """Return the prompt with an answer (0 or 1) for each image, padded on the right.

    ``labels`` are `IGNORED` where nothing is to be learned: at the padding, and at the prompt too
    (or at its image and first token alone, where ``loss`` is ``full_sequence``).
    """
    rows = [tokens.prompt + tokens.answers[answer] for answer in answers]
    ids = torch.full((len(rows), max(map(len, rows))), tokens.padding)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        mask[at, : len(row)] = 1
        learned = 1 if loss == "full_sequence" else len(tokens.prompt)
        labels[at, learned : len(row)] = ids[at, learned : len(row)]
    labels[ids == tokens.image] = IGNORED
    return _with_masks(tokens, ids, mask) | {"labels": labels}


def _with_masks(tokens: PromptTokens, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
    inputs = {"input_ids": ids, "attention_mask": mask}
    if tokens.marks_image:
        inputs["token_type_ids"] = (ids == tokens.image).long()
    return inputs
