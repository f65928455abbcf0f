"""A small tokenizer for the tiny models: bytes, and the words of the default prompt."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from vlm_torch.config import PromptSection

_VOCABULARY_SIZE = 512


def train_tokenizer(
    special: list[str], image: dict[str, str], **roles: str
) -> PreTrainedTokenizerFast:
    """Train byte-level BPE on the default prompt; it can encode any text.

    ``special`` tokens come first, in order. ``image`` maps a processor's attributes, such as
    ``image_token``, to further special tokens; ``roles`` are ``bos_token`` and the like.
    """
    prompt = PromptSection()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY_SIZE,
        special_tokens=[*special, *image.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Repeated, since BPE merges no pair that occurs once.
    tokenizer.train_from_iterator([prompt.question, *prompt.answers] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        extra_special_tokens=image,
        clean_up_tokenization_spaces=False,
        **roles,
    )
