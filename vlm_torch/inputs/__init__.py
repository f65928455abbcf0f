"""Model inputs: prompt and answers as tokens, radiographs as normalised tensors.

`PromptTokens` holds the tokens of one prompt; `question_inputs` and `answered_inputs` make batches
of them. `Normalisation` turns grey images into pixel values; `require_images` checks prepared data.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from vlm_torch.inputs.images import Normalisation, require_images
    from vlm_torch.inputs.tokens import (
        IGNORE_INDEX,
        PromptTokens,
        answered_inputs,
        question_inputs,
        tokenise,
    )

__all__ = [
    "IGNORE_INDEX",
    "Normalisation",
    "PromptTokens",
    "answered_inputs",
    "question_inputs",
    "require_images",
    "tokenise",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["Normalisation", "require_images"],
        "tokens": [
            "IGNORE_INDEX",
            "PromptTokens",
            "answered_inputs",
            "question_inputs",
            "tokenise",
        ],
    },
)
