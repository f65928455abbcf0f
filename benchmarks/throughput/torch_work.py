"""PyTorch's side: the torch twin, in each of the modes in which a PyTorch user would run it."""

import contextlib
import time
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.throughput.cases import LAYERS, Case
from benchmarks.throughput.work import Work, copy_bytes, matrix_side, random_batch
from elbow_jax.models import ModelConfig
from elbow_jax.porting.torchvision_operators import define_missing_torchvision_operators
from elbow_jax.steps import GREY_DEVIATION, GREY_MEAN

ACCELERATED = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ACCELERATED else "cpu")
DTYPE = torch.bfloat16 if ACCELERATED else torch.float32


def prepare(case: Case, mode: str) -> Work:
    """Build the work of a case in one mode, and compile it where the mode does."""
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    if case.work in ("matrix_product", "copy"):
        return _ceiling(case)
    if case.part == "depthwise":
        return _depthwise(case, mode)
    return _network(case, mode)


def peak_memory_mib() -> float | None:
    """The most device memory allocated since the process began; None without an accelerator."""
    return torch.cuda.max_memory_allocated() / 2**20 if ACCELERATED else None


class Normalised(nn.Module):
    """A network that takes grey levels 0..255, as the JAX steps do."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Logits `[B]` of images uint8 `[B, 1, S, S]`."""
        grey = image.to(torch.float32) / 255.0
        return self.network((grey - GREY_MEAN) / GREY_DEVIATION)[0]


class Loss(nn.Module):
    """The weighted mean sigmoid cross-entropy of a network."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        """A scalar."""
        logits = self.network(image).float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
        return (loss * weight).sum() / weight.sum().clamp(min=1.0)


def _network(case: Case, mode: str) -> Work:
    define_missing_torchvision_operators()
    from elbow_jax.porting.torch_twin import build_twin

    config = ModelConfig(backbone=case.name, variant=case.variant)  # type: ignore[arg-type]
    twin: Any = build_twin(config).to(DEVICE)
    if mode.endswith("channels_last"):
        twin = twin.to(memory_format=torch.channels_last)
    network = Normalised(twin)
    batch = {name: torch.from_numpy(array).to(DEVICE) for name, array in random_batch(case).items()}
    image = batch["image"].permute(0, 3, 1, 2)  # one channel: both layouts at once
    label, weight = batch["label"].float(), batch["weight"]

    def precision() -> Any:
        return torch.autocast("cuda", DTYPE) if ACCELERATED else contextlib.nullcontext()

    if case.work == "train":
        loss_of = _compiled(Loss(network.train()), mode)
        descend = torch.optim.SGD(
            network.parameters(), lr=1e-3, momentum=0.6, weight_decay=1e-3, fused=True
        )

        def step() -> None:
            with precision():
                loss = loss_of(image, label, weight)
            descend.zero_grad(set_to_none=True)
            loss.backward()
            descend.step()
    else:
        infer = _compiled(network.eval(), mode)

        def step() -> None:
            with torch.inference_mode(), precision():
                infer(image)

    return _begun(step, mode)


def _compiled(module: nn.Module, mode: str) -> Any:
    if mode.startswith("eager"):
        return module
    return torch.compile(module, mode="max-autotune" if mode.startswith("autotune") else None)


def _depthwise(case: Case, mode: str) -> Work:
    layer = LAYERS[case.name]
    side = case.size // layer.reduction
    layout = torch.channels_last if mode.endswith("channels_last") else torch.contiguous_format
    x = torch.randn(case.batch, layer.channels, side, side, device=DEVICE, dtype=DTYPE)
    kernel = torch.randn(layer.channels, 1, layer.kernel, layer.kernel, device=DEVICE, dtype=DTYPE)
    x = x.to(memory_format=layout).requires_grad_(case.work == "gradient")
    kernel = kernel.to(memory_format=layout).requires_grad_(case.work == "gradient")

    def convolve() -> Tensor:
        return nn.functional.conv2d(
            x, kernel, stride=layer.stride, padding=layer.kernel // 2, groups=layer.channels
        )

    if case.work == "forward":

        def step() -> None:
            with torch.inference_mode():
                convolve()
    else:
        out = convolve()
        cotangent = torch.randn_like(out)

        def step() -> None:
            torch.autograd.grad(out, (x, kernel), cotangent, retain_graph=True)

    return _begun(step, mode)


def _ceiling(case: Case) -> Work:
    if case.work == "copy":
        x = torch.zeros(copy_bytes(ACCELERATED) // 4, device=DEVICE)
        y = torch.empty_like(x)
        return _begun(lambda: y.copy_(x), "eager")
    side = matrix_side(ACCELERATED)
    matrix = torch.full((side, side), 0.5, device=DEVICE, dtype=DTYPE)
    out = torch.empty_like(matrix)
    return _begun(lambda: torch.mm(matrix, matrix, out=out), "eager")


def _begun(step: Any, mode: str) -> Work:
    """The first step compiles where the mode does, so it is timed apart."""
    wait = torch.cuda.synchronize if ACCELERATED else lambda: None
    began = time.perf_counter()
    step()
    wait()
    figures = {}
    if not mode.startswith("eager"):
        from torch._dynamo.utils import counters

        hits, misses = (counters["inductor"][f"fxgraph_cache_{what}"] for what in ("hit", "miss"))
        figures = {
            "compile_s": time.perf_counter() - began,
            "from_cache": hits > 0 and misses == 0,
        }
    return Work(step, wait, figures)
