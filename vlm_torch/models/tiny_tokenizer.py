"""A small tokenizer for the tiny models: bytes, and the words that the task needs."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from vlm_torch.config import PromptSection

_MOST_TOKENS = 512


def train_tokenizer(
    special: list[str], image: dict[str, str], **roles: str
) -> PreTrainedTokenizerFast:
    """Train byte-level BPE on the default prompt, so that any text can still be encoded.

    ``special`` tokens come first, in their order; ``image`` names further ones by the attribute
    under which a processor looks for them; ``roles`` are ``bos_token`` and the like.
    """
    prompt = PromptSection()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_MOST_TOKENS,
        special_tokens=[*special, *image.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Several times over, since BPE joins no pair that stands once.
    tokenizer.train_from_iterator([prompt.question, *prompt.answers] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        extra_special_tokens=image,
        clean_up_tokenization_spaces=False,
        **roles,
    )
