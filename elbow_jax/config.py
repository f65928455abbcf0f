"""The schema of the configuration files of `elbow_jax.train`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from elbow_core.config import StrictModel, expand_path
from elbow_core.dataset import FoldSplit
from elbow_core.radiographs import Augmentation
from elbow_jax.models import ModelConfig

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]


class DataSection(StrictModel):
    """The prepared images and their augmentation."""

    prepared: Path
    """Directory written by `python -m elbow_core.prepare`."""
    fold: FoldSplit | None = None
    """One fold of a cross-validation, in place of the splits of the prepared data; see
    `python -m elbow_jax.crossval`."""
    copies: Annotated[int, Field(ge=0)] = 2
    """Augmented copies of each training image, in addition to the original."""
    redraw: bool = False
    """Sample new affine maps in each epoch, for the originals too, instead of fixed copies."""
    augmentation: Augmentation = Augmentation()
    """Distribution of the affine maps."""
    balanced: bool = False
    """Repeat images of the smaller class, as augmented copies, until both classes are equal."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read and augment; 0 uses threads. Batches do not depend on their number."""


class WarmRestarts(StrictModel):
    """Cosine annealing with warm restarts."""

    t_0: PositiveInt
    """Epochs of the first cycle."""
    t_mult: PositiveInt = 2
    """Factor from one cycle's length to the next."""


class _Optimizer(StrictModel):
    """Fields of every optimiser."""

    learning_rate: PositiveFloat | dict[str, PositiveFloat]
    """Rate at the start of a cycle, or one for each top-level group of parameters."""
    warm_restarts: WarmRestarts
    """Schedule of the rate."""
    warm_up_epochs: Annotated[float, Field(ge=0)] = 0.0
    """Epochs in which the rate rises linearly, before the first cycle."""
    max_gradient_norm: PositiveFloat | None = None
    """Gradients of a larger L2 norm, over all parameters, are scaled down to it. None: never."""


class SgdSection(_Optimizer):
    """Stochastic gradient descent, as in the paper."""

    kind: Literal["sgd"]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """Factor on the running sum of gradients."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """Factor on the parameters, added to the gradient before momentum."""


class AdamWSection(_Optimizer):
    """Adam with decoupled weight decay, for training from random weights."""

    kind: Literal["adamw"]
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the mean of the gradients."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the mean of the squared gradients."""
    epsilon: PositiveFloat = 1e-8
    """Added to the root of that mean."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    """Factor on the parameters, which the rate multiplies."""


OptimizerSection = Annotated[SgdSection | AdamWSection, Field(discriminator="kind")]


class AuxiliarySection(StrictModel):
    """Weights of further losses beside the label's, by target; 0: the target is not used.

    The heads that predict them are not part of the released model.
    """

    place: NonNegativeFloat = 0.0
    """Where the injury is: `regions.csv` of the prepared data."""
    finding: NonNegativeFloat = 0.0
    """The manifest's finding, as a class."""
    body_part: NonNegativeFloat = 0.0
    """The manifest's body part, as a class."""

    def weights(self) -> dict[str, float]:
        """Return the weights of the targets that are used, by name."""
        return {name: weight for name, weight in self.model_dump().items() if weight}


class TrainConfig(StrictModel):
    """One stage of training: pretrain, train or fuse."""

    run: Path
    """Directory of the run; must not hold another run."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of the initial weights, the order of images, the augmentation and dropout."""
    data: DataSection
    """The prepared images."""
    model: ModelConfig
    """The network."""
    init: str | dict[str, str] | None = None
    """Initial weights: the directory of a finished run of the same network, a tag such as
    timm/convnext_tiny.fb_in1k or synthetic/mobilenetv3_large_small, a file of weights, or (for the
    fusion network) a run or a tag synthetic/... for each backbone. None: random weights."""
    init_architecture: str | None = None
    """Name in timm or torchvision of the network that a file in `init` is of, if the file does not
    say it: mobilenetv3_large_100 and tf_mobilenetv3_large_100 have the same tensors."""
    optimizer: OptimizerSection
    """The optimiser; without `kind`, sgd."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay, a step, of an exponential moving average of the weights. It is validated beside the
    weights after each epoch, and released where its AUROC is higher. None: no average."""
    auxiliary: AuxiliarySection = AuxiliarySection()
    """Further targets beside the label."""
    batch_size: PositiveInt = 32
    """Images in one step, over all devices."""
    accumulate: PositiveInt = 1
    """Parts in which a batch passes through the network, for a device too small for the whole.
    Batch normalisation then sees one part at a time."""
    pos_weight: PositiveFloat | Literal["balanced"] = 1.0
    """Factor on the loss of an injured image; balanced: normal over injured training images."""
    epochs: PositiveInt
    """Passes over the augmented training set."""
    early_stopping: PositiveInt | None = None
    """Stop after this many epochs in a row without a better validation AUROC. None: never."""
    log_every: PositiveInt = 10
    """Steps between rows of metrics.jsonl; each row waits for the device."""
    checkpoint_every: PositiveInt | None = None
    """Steps between checkpoints within an epoch; every epoch ends with one."""
    tensorboard: bool = False
    """Also write curves and a sheet of augmented images for TensorBoard."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the computation; parameters are float32. Auto: bfloat16 on accelerators."""

    @field_validator("optimizer", mode="before")
    @classmethod
    def _default_kind(cls, optimizer: Any) -> Any:
        return {"kind": "sgd", **optimizer} if isinstance(optimizer, dict) else optimizer

    @field_validator("init")
    @classmethod
    def _expand_init(cls, init: str | dict[str, str] | None) -> str | dict[str, str] | None:
        if isinstance(init, dict):
            return {name: expand_path(path) for name, path in init.items()}
        return None if init is None else expand_path(init)
