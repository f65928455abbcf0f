"""The benchmark's cases, the modes measured in each, and the order of the jobs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from elbow_jax.models import Backbone

NETWORKS = get_args(Backbone)
SIZES = (384, 584)  # the paper's pretraining and training sizes, in pixels
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

TIMED_ALONE = ("ceilings", "depthwise", "inference", "train")
"""Parts of which only the steps are timed, so that their processes may compile side by side."""

WORKS = {
    "depthwise": ("forward", "gradient"),
    "inference": ("inference",),
    "turns": ("inference", "train"),
}
"""The work timed in a part; a part that is not listed times a training step."""

SCALE_SIZES = (224, 384, 512, 768, 1024)
SCALE_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
SCALE_BATCHES_SIZE = 224
SCALE_DEVICES = (1, 2, 4)

KEPT_MEMORY = "_kept"  # suffix of a mode with the allocator settings of this project's commands
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
FASTEST = "fastest"  # stands for PyTorch's fastest measured mode at a case

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

    `reduction` is the side of the network's input over the side of the layer's input.
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
    """One piece of work, independent of the framework.

    Attributes:
        part: of the benchmark, one of `PARTS`.
        name: a network, a layer of `LAYERS`, or `matrix_product` or `copy`.
        work: `inference`, `train`, `forward`, `gradient`, `matrix_product` or `copy`.
        size: pixels a side.
        batch: images in a step.
        devices: number of devices that share the batch.
        variant: `full`, or `small` for a quick run.
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
    """One measurement of a case, made in its own process."""

    case: Case
    framework: str
    mode: str
    round: int

    @property
    def key(self) -> tuple[Any, ...]:
        """The fields that identify the measurement within a device's record."""
        return (*asdict(self.case).values(), self.framework, self.mode, self.round)


@dataclass(frozen=True)
class Selection:
    """The measurements that the command line asks for."""

    device: str
    parts: Sequence[str]
    networks: Sequence[str]
    sizes: Sequence[int]
    batches: Sequence[int]
    scale_batches: Sequence[int]
    modes: Sequence[str] | None
    rounds: int
    quick: bool


def plan_jobs(selection: Selection) -> Iterator[Job]:
    """Yield every job in order; odd rounds take the modes of a case in reverse.

    The part `turns` is for CPUs only: the speed of a shared CPU drifts, and an accelerator's memory
    does not hold two frameworks.
    """
    for part in PARTS:
        if part not in selection.parts or (part == "turns" and selection.device != "cpu"):
            continue
        for case in _cases(part, selection):
            modes = [
                pair
                for pair in _modes(case, selection)
                if not selection.modes
                or part not in ("inference", "train")
                or pair[1] in selection.modes
            ]
            rounds = 1 if part in ("scale", "cold_start", "end_to_end") else selection.rounds
            for number in range(rounds):
                if part == "turns":
                    yield from interleaved_jobs(case, number)
                    continue
                for framework, mode in modes if number % 2 == 0 else reversed(modes):
                    yield Job(case, framework, mode, number)


def interleaved_jobs(case: Case, number: int) -> list[Job]:
    """The two jobs of one round that are measured in alternating turns."""
    return [Job(case, "jax", "jit", number), Job(case, "torch", FASTEST, number)]


def _cases(part: str, selection: Selection) -> Iterator[Case]:
    variant = "small" if selection.quick else "full"
    if part == "ceilings":
        for work in ("matrix_product", "copy"):
            yield Case(part, work, work, 0, 1, variant=variant)
        return
    if part == "scale":
        for network in selection.networks:
            yield from _scale_cases(network, variant, selection)
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


def _scale_cases(network: str, variant: str, selection: Selection) -> Iterator[Case]:
    sizes, side, devices = SCALE_SIZES, SCALE_BATCHES_SIZE, SCALE_DEVICES
    batches = selection.scale_batches
    if selection.quick:
        sizes, side, batches, devices = (32, 64), 32, batches[:2], (1, 2)
    batch = 4 if selection.quick else selection.batches[0]
    points = [(size, batch, 1) for size in sizes]
    points += [(side, batch, 1) for batch in batches]
    points += [(side, max(batch, devices[-1]), count) for count in devices]
    for size, batch, count in dict.fromkeys(points):
        yield Case("scale", network, "train", size, batch, count, variant)


def _modes(case: Case, selection: Selection) -> list[tuple[str, str]]:
    """The (framework, mode) pairs of a case."""
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
