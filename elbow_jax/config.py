"""The schema of a training run; every key of `configs/**/*.yaml` for `elbow_jax.train`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from elbow_core.config import StrictModel
from elbow_core.radiographs.augmentation import Augmentation
from elbow_jax.models import ModelConfig

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


class DataSection(StrictModel):
    """Where the images are and how the training set is augmented."""

    prepared: Path
    """Directory written by `python -m elbow_core.prepare`."""
    copies: Annotated[int, Field(ge=0)] = 2
    """Augmented copies of each training image beside the original."""
    redraw: bool = False
    """Draw the affine maps anew in each epoch instead of fixed copies."""
    augmentation: Augmentation = Augmentation()
    """From which the affine maps are drawn."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read and augment; 0 uses threads. Batches do not depend on it."""


class WarmRestarts(StrictModel):
    """Cosine annealing with warm restarts."""

    t_0: PositiveInt
    """Epochs of the first cycle."""
    t_mult: PositiveInt = 2
    """Factor from one cycle's length to the next."""


class OptimizerSection(StrictModel):
    """Stochastic gradient descent."""

    learning_rate: PositiveFloat | dict[str, PositiveFloat]
    """Rate at the start of a cycle; or one for each top-level group of parameters."""
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """Factor on the running sum of gradients."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """Factor on the parameters, added to the gradient before momentum."""
    warm_restarts: WarmRestarts
    """The schedule of the rate."""


class TrainConfig(StrictModel):
    """One stage of training: pretrain, train or fuse."""

    run: Path
    """Directory of the run; must not hold another one."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the initial weights, the order of images, the augmentation and dropout."""
    data: DataSection
    """The prepared images."""
    model: ModelConfig
    """The network."""
    init: str | dict[str, str] | None = None
    """Where the first weights come from: the directory of a finished run of the same network, a tag
    such as timm/convnext_tiny.fb_in1k, a file of weights, or (for the fusion network) a run for
    each backbone. None: random weights."""
    optimizer: OptimizerSection
    """How the parameters move."""
    batch_size: PositiveInt = 32
    """Images in one step, over all devices."""
    accumulate: PositiveInt = 1
    """Parts in which a batch passes through the network, for a device too small for all of it.
    Batch normalisation then sees one part at a time."""
    epochs: PositiveInt
    """Passes over the augmented training set."""
    early_stopping: PositiveInt | None = None
    """Epochs in a row without a better validation AUROC after which to stop. None: never."""
    log_every: PositiveInt = 10
    """Steps between rows of metrics.jsonl; each row waits for the device."""
    checkpoint_every: PositiveInt | None = None
    """Steps between checkpoints within an epoch; every epoch ends with one in any case."""
    tensorboard: bool = False
    """Write curves and a sheet of augmented images for TensorBoard too."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the computation; parameters are float32. Auto: bfloat16 on accelerators."""
