"""Prompt and answers as tokens: made once for all images, and checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from elbow_core.errors import ConfigError
from vlm_torch.config import PromptSection

IGNORE_INDEX = -100  # torch's cross-entropy skips labels of this value


@dataclass(frozen=True)
class PromptTokens:
    """The tokens of the prompt and of its two answers.

    ``answers`` holds the answer for label 0 and for label 1, each with its end token. ``stop`` are
    the tokens that end generation. ``needs_token_type_ids``: without ``token_type_ids`` Gemma 3
    silently uses causal attention over the image.
    """

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], tuple[int, ...]]
    image: int
    padding: int
    stop: tuple[int, ...]
    needs_token_type_ids: bool

    @property
    def longest(self) -> int:
        """Tokens of the prompt and the longer answer."""
        return len(self.prompt) + max(map(len, self.answers))


def tokenise(
    processor: Any,
    format_dialogue: Callable[[Any, PromptSection, str | None], str],
    prompt: PromptSection,
    *,
    stop: tuple[int, ...],
    context: int,
    image: int,
    image_tokens: int,
    needs_token_type_ids: bool,
) -> PromptTokens:
    """Tokenise the prompt alone and with each answer, and check the result.

    Args:
        processor: the checkpoint's processor.
        format_dialogue: the architecture's text format, image tokens included.
        prompt: question and answers.
        stop: tokens that end an answer.
        context: the model's context length in tokens.
        image: id of the token that image features replace.
        image_tokens: how many such tokens an image takes.
        needs_token_type_ids: whether the model needs ``token_type_ids``.

    Raises:
        ConfigError: a dialogue longer than the context, an answer without an end token, or a prompt
            whose tokens change when an answer follows.
    """
    tokenizer = processor.tokenizer
    question = _encode(tokenizer, format_dialogue(processor, prompt, None))
    answers = []
    for number, answer in enumerate(prompt.answers):
        dialogue = _encode(tokenizer, format_dialogue(processor, prompt, answer))
        if dialogue[: len(question)] != question:
            raise ConfigError(
                f"prompt.answers.{number}: {answer!r} changes the tokens of the question before "
                "it, so that training and answering would differ; begin it with another letter"
            )
        completion = dialogue[len(question) :]
        ends = [position for position, token in enumerate(completion) if token in stop]
        if not ends:
            raise ConfigError(
                f"prompt.answers.{number}: {answer!r} is not followed by an end token; the "
                "checkpoint's chat template does not fit its generation_config.json"
            )
        answers.append(tuple(completion[: ends[0] + 1]))
    if question.count(image) != image_tokens:
        raise ConfigError(
            f"prompt: has {question.count(image)} image tokens, but an image takes {image_tokens}; "
            "remove the image token from the text"
        )
    tokens = PromptTokens(
        prompt=tuple(question),
        answers=(answers[0], answers[1]),
        image=image,
        padding=tokenizer.pad_token_id,
        stop=stop,
        needs_token_type_ids=needs_token_type_ids,
    )
    if tokens.longest > context:
        raise ConfigError(
            f"prompt.question: with the image and the longer answer it is {tokens.longest} tokens, "
            f"but the model's context is {context}; shorten it"
        )
    return tokens


def _encode(tokenizer: Any, text: str) -> list[int]:
    """Encode with exactly one ``<bos>``, whether or not the template wrote one."""
    ids = list(tokenizer(text, add_special_tokens=False).input_ids)
    if ids[0] != tokenizer.bos_token_id:
        ids = [tokenizer.bos_token_id, *ids]
    if tokenizer.bos_token_id in ids[1:]:
        raise ConfigError(f"prompt: contains {tokenizer.bos_token!r}; remove it from the text")
    return ids


def question_inputs(tokens: PromptTokens, images: int) -> dict[str, Int64[Tensor, "images length"]]:
    """Return the prompt, without an answer, for each of so many images; needs no padding."""
    ids = torch.tensor([tokens.prompt] * images)
    return _add_masks(tokens, ids, torch.ones_like(ids))


def answered_inputs(
    tokens: PromptTokens, answers: list[int], loss: str = "answer"
) -> dict[str, Int64[Tensor, "images length"]]:
    """Return the prompt with the answer (0 or 1) of each image, padded on the right.

    ``labels`` are `IGNORE_INDEX` at the padding and at the prompt; where ``loss`` is
    ``full_sequence``, at the prompt's first token and image tokens only.
    """
    rows = [tokens.prompt + tokens.answers[answer] for answer in answers]
    ids = torch.full((len(rows), max(map(len, rows))), tokens.padding)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORE_INDEX)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
        first = 1 if loss == "full_sequence" else len(tokens.prompt)
        labels[index, first : len(row)] = ids[index, first : len(row)]
    labels[ids == tokens.image] = IGNORE_INDEX
    return _add_masks(tokens, ids, mask) | {"labels": labels}


def _add_masks(tokens: PromptTokens, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
    inputs = {"input_ids": ids, "attention_mask": mask}
    if tokens.needs_token_type_ids:
        inputs["token_type_ids"] = (ids == tokens.image).long()
    return inputs
