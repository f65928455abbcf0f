"""PyTorch's work: the torch twin, in each mode that a PyTorch user would choose."""

import contextlib
import time
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.throughput.cases import LAYERS, Case
from benchmarks.throughput.measuring.work import Work, copy_bytes, matrix_side, random_batch
from elbow_jax.models import ModelConfig
from elbow_jax.porting import define_missing_torchvision_operators
from elbow_jax.steps import GREY_DEVIATION, GREY_MEAN

ACCELERATED = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ACCELERATED else "cpu")
DTYPE = torch.bfloat16 if ACCELERATED else torch.float32


def prepare(case: Case, mode: str) -> Work:
    """Build the work of a case in one mode; a compiling mode compiles it."""
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    if case.work in ("matrix_product", "copy"):
        return _ceiling(case)
    if case.part == "depthwise":
        return _depthwise(case, mode)
    return _network(case, mode)


def peak_memory_mib() -> float | None:
    """Peak device memory allocated by this process; None without an accelerator."""
    return torch.cuda.max_memory_allocated() / 2**20 if ACCELERATED else None


class Normalised(nn.Module):
    """A network with the input normalisation of the JAX steps: grey levels 0..255."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Logits `[B]` of images uint8 `[B, 1, S, S]`."""
        grey = image.to(torch.float32) / 255.0
        return self.network((grey - GREY_MEAN) / GREY_DEVIATION)[0]


class Loss(nn.Module):
    """A network followed by the weighted mean of its sigmoid cross-entropy."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        """The loss, a scalar."""
        logits = self.network(image).float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, label, reduction="none")
        return (loss * weight).sum() / weight.sum().clamp(min=1.0)


def _network(case: Case, mode: str) -> Work:
    define_missing_torchvision_operators()
    from elbow_jax.porting import build_twin

    config = ModelConfig(backbone=case.name, variant=case.variant)  # type: ignore[arg-type]
    twin: Any = build_twin(config).to(DEVICE)
    if mode.endswith("channels_last"):
        twin = twin.to(memory_format=torch.channels_last)
    network = Normalised(twin)
    batch = {name: torch.from_numpy(array).to(DEVICE) for name, array in random_batch(case).items()}
    image = batch["image"].permute(0, 3, 1, 2)  # one channel: contiguous in both layouts
    label, weight = batch["label"].float(), batch["weight"]

    def autocast() -> Any:
        return torch.autocast("cuda", DTYPE) if ACCELERATED else contextlib.nullcontext()

    if case.work == "train":
        loss_of = _compiled(Loss(network.train()), mode)
        optimizer = torch.optim.SGD(
            network.parameters(), lr=1e-3, momentum=0.6, weight_decay=1e-3, fused=True
        )

        def step() -> None:
            with autocast():
                loss = loss_of(image, label, weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    else:
        infer = _compiled(network.eval(), mode)

        def step() -> None:
            with torch.inference_mode(), autocast():
                infer(image)

    return _after_first_step(step, mode)


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

    return _after_first_step(step, mode)


def _ceiling(case: Case) -> Work:
    if case.work == "copy":
        x = torch.rand(copy_bytes(ACCELERATED) // 4, device=DEVICE)
        y = torch.empty_like(x)
        return _after_first_step(lambda: y.copy_(x), "eager")
    side = matrix_side(ACCELERATED)
    matrix = torch.randn(side, side, device=DEVICE, dtype=DTYPE)
    out = torch.empty_like(matrix)
    return _after_first_step(lambda: torch.mm(matrix, matrix, out=out), "eager")


def _after_first_step(step: Any, mode: str) -> Work:
    """Run the first step, in which torch compiles, and time it where the mode compiles."""
    wait = torch.cuda.synchronize if ACCELERATED else lambda: None
    started = time.perf_counter()
    step()
    wait()
    metrics = {}
    if not mode.startswith("eager"):
        from torch._dynamo.utils import counters

        hits, misses = (counters["inductor"][f"fxgraph_cache_{kind}"] for kind in ("hit", "miss"))
        metrics = {
            "compile_s": time.perf_counter() - started,
            "from_cache": hits > 0 and misses == 0,
        }
    return Work(step, wait, metrics)
