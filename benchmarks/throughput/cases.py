"""What is measured: the cases, the contenders in each, and the order of the measurements."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from elbow_jax.models.config import Backbone

NETWORKS = get_args(Backbone)
SIZES = (384, 584)  # the report's pretraining and training sizes, in pixels
PARTS = (
    "ceilings",
    "depthwise",
    "inference",
    "train",
    "turns",
    "end_to_end",
    "cold_start",
    "scale",
)

WORKS = {
    "depthwise": ("forward", "gradient"),
    "inference": ("inference",),
    "turns": ("inference", "train"),
}
"""What is done in a part; in the others a training step."""

SCALE_SIZES = (224, 384, 512, 768, 1024)
SCALE_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
SCALE_BATCHES_SIZE = 224
SCALE_DEVICES = (1, 2, 4)

KEPT_MEMORY = "_kept"  # ends the name of a mode with the allocator's settings of our own commands
TORCH_MODES = {
    "cpu": (
        "eager",
        "eager_channels_last",
        "eager_channels_last_kept",
        "compile",
        "compile_channels_last",
        "compile_channels_last_kept",
    ),
    "gpu": ("eager", "eager_channels_last", "compile_channels_last", "autotune_channels_last"),
}
FASTEST = "fastest"  # of PyTorch's modes at a case, by what was measured

COLD_START_MODES = (
    ("jax", "cache_off"),
    ("jax", "cache_empty"),
    ("jax", "cache_filled"),
    ("torch", "eager_channels_last"),
    ("torch", "compile_channels_last"),
)


@dataclass(frozen=True)
class Layer:
    """A depthwise convolution of one of the networks.

    `reduction` is the image's side over the layer's own.
    """

    kernel: int
    stride: int
    channels: int
    reduction: int


LAYERS = {
    "convnext_tiny stage0": Layer(7, 1, 96, 4),
    "convnext_tiny stage2": Layer(7, 1, 384, 16),
    "efficientnetv2_s stage3": Layer(3, 1, 512, 16),
    "efficientnetv2_s stage5": Layer(3, 1, 1536, 32),
    "mobilenetv3_large stage1": Layer(3, 2, 64, 2),
    "mobilenetv3_large stage2": Layer(5, 1, 120, 8),
}


@dataclass(frozen=True)
class Case:
    """One piece of work, whoever does it.

    Attributes:
        part: of the benchmark.
        name: a network, a layer of `LAYERS`, or which ceiling.
        work: `inference`, `train`, `forward`, `gradient`, `matrix_product` or `copy`.
        size: pixels a side.
        batch: images.
        devices: over which the batch is split.
        variant: `full`, or `small` for a quick look.
    """

    part: str
    name: str
    work: str
    size: int
    batch: int
    devices: int = 1
    variant: str = "full"


@dataclass(frozen=True)
class Job:
    """One measurement in a process of its own."""

    case: Case
    framework: str
    mode: str
    round: int

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells this measurement from every other one of a device."""
        return (*asdict(self.case).values(), self.framework, self.mode, self.round)


@dataclass(frozen=True)
class Selection:
    """What the command line asks for."""

    device: str
    parts: Sequence[str]
    networks: Sequence[str]
    sizes: Sequence[int]
    batches: Sequence[int]
    scale_batches: Sequence[int]
    modes: Sequence[str] | None
    rounds: int
    quick: bool


def jobs(selection: Selection) -> Iterator[Job]:
    """Every measurement in order; of each case's contenders, odd rounds backwards.

    The part `turns` is for a CPU: the speed of a CPU that others share drifts, and accelerators
    have no memory for two frameworks.
    """
    for part in PARTS:
        if part not in selection.parts or (part == "turns" and selection.device != "cpu"):
            continue
        for case in _cases(part, selection):
            contenders = [
                pair
                for pair in _contenders(case, selection)
                if not selection.modes
                or part not in ("inference", "train")
                or pair[1] in selection.modes
            ]
            rounds = 1 if part in ("scale", "cold_start", "end_to_end") else selection.rounds
            for number in range(rounds):
                if part == "turns":
                    yield from duel(case, number)
                    continue
                for framework, mode in contenders if number % 2 == 0 else reversed(contenders):
                    yield Job(case, framework, mode, number)


def duel(case: Case, number: int) -> list[Job]:
    """The two jobs of a case that is measured in turns."""
    return [Job(case, "jax", "jit", number), Job(case, "torch", FASTEST, number)]


def _cases(part: str, selection: Selection) -> Iterator[Case]:
    variant = "small" if selection.quick else "full"
    if part == "ceilings":
        for work in ("matrix_product", "copy"):
            yield Case(part, work, work, 0, 1, variant=variant)
        return
    if part == "scale":
        for network in selection.networks:
            yield from _scale(network, variant, selection)
        return
    names = selection.networks
    if part == "depthwise":
        names = [name for name in LAYERS if name.partition(" ")[0] in selection.networks]
    works = WORKS.get(part, ("train",))
    sizes = selection.sizes if part in ("inference", "train", "turns") else selection.sizes[:1]
    for size in sizes:
        for batch in selection.batches:
            for name in names:
                for work in works:
                    yield Case(part, name, work, size, batch, variant=variant)


def _scale(network: str, variant: str, selection: Selection) -> Iterator[Case]:
    sizes, side, devices = SCALE_SIZES, SCALE_BATCHES_SIZE, SCALE_DEVICES
    batches = selection.scale_batches
    if selection.quick:
        sizes, side, batches, devices = (32, 64), 32, batches[:2], (1, 2)
    batch = 4 if selection.quick else selection.batches[0]
    drawn = [(size, batch, 1) for size in sizes]
    drawn += [(side, batch, 1) for batch in batches]
    drawn += [(side, max(batch, devices[-1]), count) for count in devices]
    for size, batch, count in dict.fromkeys(drawn):
        yield Case("scale", network, "train", size, batch, count, variant)


def _contenders(case: Case, selection: Selection) -> list[tuple[str, str]]:
    torch_modes = TORCH_MODES[selection.device]
    if case.part == "ceilings":
        return [("jax", "jit"), ("torch", "eager")]
    if case.part == "depthwise":
        return [("jax", "jit"), ("torch", "eager"), ("torch", "eager_channels_last")]
    if case.part == "end_to_end":
        return [("jax", "jit")]
    if case.part == "cold_start":
        return list(COLD_START_MODES)
    if case.part == "scale":
        return [("jax", "jit")] + [("torch", "eager_channels_last")] * (case.devices == 1)
    return [("jax", "jit"), *(("torch", mode) for mode in torch_modes)]
