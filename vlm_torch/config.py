"""The schema of a LoRA run; every key of ``configs/vlm/*.yaml`` for `vlm_torch.finetune`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from elbow_core.config import StrictModel
from elbow_core.radiographs.augmentation import Augmentation

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class DataSection(StrictModel):
    """Where the images are and how the training set is augmented."""

    prepared: Path
    """Directory written by `python -m elbow_core.prepare` at the model's size: 896 or 518."""
    copies: Annotated[int, Field(ge=0)] = 2
    """Augmented copies of each training image beside the original."""
    augmentation: Augmentation = Augmentation()
    """From which the copies' affine maps are drawn."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read; 0 reads in this one. Batches do not depend on it."""


class HubBase(StrictModel):
    """A checkpoint of the Hugging Face hub."""

    kind: Literal["hub"] = "hub"
    id: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """Such as google/medgemma-4b-it."""
    revision: Text = "main"
    """Branch, tag or commit; the commit that it meant is kept with the adapter."""


class FolderBase(StrictModel):
    """A checkpoint in transformers' format on this machine."""

    kind: Literal["folder"] = "folder"
    path: Path
    """Holds config.json, the weights and the processor's files."""


class TinyBase(StrictModel):
    """A small model of the same classes with random weights, built beside the run."""

    kind: Literal["tiny"] = "tiny"
    image_size: Annotated[int, Field(ge=32, le=128, multiple_of=16)] = 64
    """Pixels a side; that of the prepared data."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the weights."""


Base = Annotated[HubBase | FolderBase | TinyBase, Field(discriminator="kind")]
Architecture = Literal["medgemma", "llava_rad"]


class ModelSection(StrictModel):
    """The model that is tuned."""

    architecture: Architecture
    """``medgemma`` is Gemma 3 with SigLIP; ``llava_rad`` is LLaVA with a DINOv2 tower."""
    base: Base
    """Where its weights come from."""
    dtype: Literal["bfloat16", "float32", "float16"] = "bfloat16"
    """Of the frozen weights and of the computation; what is trained is float32."""
    attention: Literal["eager", "sdpa"] = "eager"
    """Implementation of attention; eager is the reference."""
    four_bit: bool = False
    """Keep the frozen linear layers in 4 bits (NF4); needs the extra ``qlora`` and a GPU."""

    @model_validator(mode="after")
    def _check_dtype(self) -> "ModelSection":
        if self.architecture == "medgemma" and self.dtype == "float16":
            raise ValueError(
                "dtype float16 overflows in Gemma 3, whose activations pass 65504; use bfloat16"
            )
        return self


class PromptSection(StrictModel):
    """What the model is asked and what it should answer."""

    system: str = ""
    """Set before the question; empty for none."""
    question: Text = (
        "Analyse this radiograph of the elbow and classify it as "
        "A: 'No injury' or B: 'Fracture or dislocation'."
    )
    """The question that stands beside each image."""
    answers: tuple[Text, Text] = ("No injury", "Fracture or dislocation")
    """The right answer for label 0 and for label 1."""

    @model_validator(mode="after")
    def _check_answers(self) -> "PromptSection":
        if self.answers[0].strip().casefold() == self.answers[1].strip().casefold():
            raise ValueError(f"answers: both are {self.answers[0]!r}")
        return self


class LoraSection(StrictModel):
    """Low-rank matrices beside every linear layer but the output."""

    rank: PositiveInt
    """Rank of each update."""
    alpha: PositiveInt
    """The update is scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Of what enters an update, while training."""
    embeddings: Literal["trained", "frozen"] = "trained"
    """Train the token embeddings in full, as the report does, or leave them; where they are tied to
    the output they stay tied."""


class OptimizerSection(StrictModel):
    """AdamW."""

    learning_rate: PositiveFloat
    """At the first step; it ends at 0."""
    schedule: Literal["linear", "cosine"]
    """How the rate falls, over the whole run."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """Decoupled from the gradient."""
    max_gradient_norm: PositiveFloat = 0.03
    """Gradients are scaled down to this norm."""


class FinetuneConfig(StrictModel):
    """One run of LoRA."""

    run: Path
    """Directory of the run; must not hold another one."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the LoRA weights, the order of images, the augmentation and dropout."""
    data: DataSection
    """The prepared images."""
    model: ModelSection
    """The model that is tuned."""
    prompt: PromptSection = PromptSection()
    """Question and answers."""
    lora: LoraSection
    """What is trained."""
    optimizer: OptimizerSection
    """How it moves."""
    loss: Literal["answer", "full_sequence"] = "answer"
    """Which tokens count: the answer's, or the question's too (never an image's)."""
    batch_size: PositiveInt = 32
    """Images in one step, over all processes."""
    accumulate: PositiveInt = 8
    """Parts in which a batch passes through the model, over all processes."""
    epochs: PositiveInt
    """Passes over the augmented training set."""
    gradient_checkpointing: bool = True
    """Compute activations again in the backward pass instead of keeping them."""
    log_every: PositiveInt = 10
    """Steps between rows of metrics.jsonl."""
    checkpoint_every: PositiveInt | None = None
    """Steps between checkpoints within an epoch; every epoch ends with one in any case."""

    @model_validator(mode="after")
    def _check_parts(self) -> "FinetuneConfig":
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate: {self.accumulate} does not divide batch_size, {self.batch_size}"
            )
        return self
