"""Configuration schema of a LoRA run: every key of ``configs/vlm/*.yaml``."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from elbow_core.config import StrictModel, load_config
from elbow_core.errors import ConfigError
from elbow_core.radiographs import Augmentation
from elbow_core.runs import CONFIG

# Folders of a run.
ADAPTER, MERGED, CHECKPOINTS = "adapter", "merged", "checkpoints"

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class DataSection(StrictModel):
    """Prepared images and the augmentation of the training set."""

    prepared: Path
    """Directory written by `python -m elbow_core.prepare` at the model's image size: 896 or 518."""
    copies: Annotated[int, Field(ge=0)] = 2
    """Augmented copies of each training image, in addition to the original."""
    augmentation: Augmentation = Augmentation()
    """Ranges from which the copies' affine maps are sampled."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read images; 0 reads in the main process. Batches do not depend on it."""


class HubBase(StrictModel):
    """A checkpoint on the Hugging Face hub."""

    kind: Literal["hub"] = "hub"
    id: str
    """Owner and name, such as google/medgemma-4b-it."""
    revision: Text = "main"
    """Branch, tag or commit; the commit it resolves to is stored with the adapter."""

    @field_validator("id")
    @classmethod
    def _check_id(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name, re.ASCII):
            raise ValueError(
                f"{name!r} is not OWNER/NAME on the hub; a folder is {{kind: folder, path: FOLDER}}"
            )
        return name


class FolderBase(StrictModel):
    """A local checkpoint in transformers' format."""

    kind: Literal["folder"] = "folder"
    path: Path
    """Directory with config.json, the weights and the processor's files."""


class TinyBase(StrictModel):
    """A small model of the same classes with random weights, written next to the run."""

    kind: Literal["tiny"] = "tiny"
    image_size: Annotated[int, Field(ge=32, le=128, multiple_of=16)] = 64
    """Image side in pixels; must equal that of the prepared data."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the weights."""


Base = Annotated[HubBase | FolderBase | TinyBase, Field(discriminator="kind")]
Architecture = Literal["medgemma", "llava_rad"]


class ModelSection(StrictModel):
    """The model to fine-tune."""

    architecture: Architecture
    """``medgemma`` is Gemma 3 with SigLIP; ``llava_rad`` is LLaVA with a DINOv2 tower."""
    base: Base
    """Source of the pretrained weights."""
    dtype: Literal["bfloat16", "float32", "float16"] = "bfloat16"
    """Type of the frozen weights and of the computation; trained weights are float32."""
    attention: Literal["eager", "sdpa"] = "eager"
    """Attention implementation; eager is the reference."""
    four_bit: bool = False
    """Store the frozen linear layers in 4 bits (NF4); needs the extra ``qlora`` and a GPU."""

    @model_validator(mode="after")
    def _check_dtype(self) -> "ModelSection":
        if self.architecture == "medgemma" and self.dtype == "float16":
            raise ValueError(
                "dtype float16 overflows in Gemma 3, whose activations exceed 65504; use bfloat16"
            )
        return self


class PromptSection(StrictModel):
    """The prompt and the two possible answers."""

    system: str = ""
    """System prompt; empty for none."""
    question: Text = (
        "Analyse this radiograph of the elbow and classify it as "
        "A: 'No injury' or B: 'Fracture or dislocation'."
    )
    """Question asked about each image."""
    answers: tuple[Text, Text] = ("No injury", "Fracture or dislocation")
    """Correct answer for label 0 and for label 1."""

    @model_validator(mode="after")
    def _check_answers(self) -> "PromptSection":
        if self.answers[0].strip().casefold() == self.answers[1].strip().casefold():
            raise ValueError(f"answers: both are {self.answers[0]!r}; they must differ")
        return self


class LoraSection(StrictModel):
    """Low-rank updates of every linear layer except the output layer."""

    rank: PositiveInt
    """Rank of each update matrix."""
    alpha: PositiveInt
    """Updates are scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Dropout probability at the input of each update, during training."""
    embeddings: Literal["trained", "frozen"] = "trained"
    """Train the token embeddings in full, as the paper does, or freeze them; embeddings tied to the
    output layer stay tied."""


class OptimizerSection(StrictModel):
    """AdamW."""

    learning_rate: PositiveFloat
    """Initial rate; the schedule ends at 0."""
    schedule: Literal["linear", "cosine"]
    """Decay of the rate over the whole run."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """Decoupled weight decay."""
    max_gradient_norm: PositiveFloat = 0.03
    """Gradients are clipped to this norm."""


class FinetuneConfig(StrictModel):
    """One LoRA run."""

    run: Path
    """Directory of the run; must not hold another run."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the LoRA weights, the order of images, the augmentation and dropout."""
    data: DataSection
    """Images."""
    model: ModelSection
    """Base model."""
    prompt: PromptSection = PromptSection()
    """Prompt and answers."""
    lora: LoraSection
    """Trainable weights."""
    optimizer: OptimizerSection
    """Optimiser."""
    loss: Literal["answer", "full_sequence"] = "answer"
    """Tokens in the loss: the answer's alone, or the question's too (never an image's)."""
    batch_size: PositiveInt = 32
    """Images per step, over all processes."""
    accumulate: PositiveInt = 8
    """Gradient accumulation: micro-batches per step, over all processes."""
    epochs: PositiveInt
    """Epochs over the augmented training set."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass instead of storing them."""
    log_every: PositiveInt = 10
    """Steps between rows of metrics.jsonl."""
    checkpoint_every: PositiveInt | None = None
    """Steps between checkpoints within an epoch; every epoch also ends with one."""

    @model_validator(mode="after")
    def _check_accumulate(self) -> "FinetuneConfig":
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate: {self.accumulate} does not divide batch_size, {self.batch_size}"
            )
        return self


def read_run_config(run: Path) -> FinetuneConfig:
    """Read the configuration of a run; raises `ConfigError` where ``run`` is not one."""
    if not (run / CONFIG).is_file():
        raise ConfigError(f"{run}: is not a run ({CONFIG} is missing)")
    return load_config(FinetuneConfig, run / CONFIG)
