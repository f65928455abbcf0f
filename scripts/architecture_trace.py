"""Trace a network on shapes alone and cut it into parts: what each does, holds and costs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from elbow_jax.models import BACKBONES, ModelConfig, build_model

Path_ = tuple[str, ...]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """A submodule's call: class, its own kernel's shape if any, dropout rate, shapes in and out."""

    kind: str
    kernel: Shape
    rate: float
    given: Shape
    returned: Shape


@dataclass(frozen=True)
class Box:
    """One part of a network, under the name that its variables have."""

    name: str
    kind: str
    lines: tuple[str, ...]
    blocks: int
    output: Shape
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Measured:
    """A network at one size: a column of boxes for each backbone, and the boxes after them."""

    size: int
    channels: int
    backbones: dict[str, list[Box]]
    head: list[Box]
    feature_maps: dict[str, Shape]
    features: int
    parameters: int
    multiply_adds: int

    @property
    def boxes(self) -> list[Box]:
        """Every box, in the order of the computation."""
        return [box for column in self.backbones.values() for box in column] + self.head


def measure(config: ModelConfig, size: int) -> Measured:
    """Trace a network on one `size x size` image of shapes alone, and cut it into boxes."""
    module = build_model(config)
    calls: dict[Path_, Call] = {}

    def record(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name != "__call__":
            return call(*args, **kwargs)
        calls.setdefault(context.module.path, Call("", (), 0.0, (), ()))  # in order of starting
        result = call(*args, **kwargs)
        own = context.module.variables.get("params", {}).get("kernel")
        calls[context.module.path] = Call(
            type(context.module).__name__,
            () if own is None else own.shape,
            getattr(context.module, "rate", 0.0),
            args[0].shape,
            jax.tree.leaves(result)[0].shape,
        )
        return result

    image = jax.ShapeDtypeStruct((1, size, size, config.in_channels), jnp.float32)
    with nn.intercept_methods(record):
        traced, ((_, taps), variables) = jax.make_jaxpr(module.init_with_output, return_shape=True)(
            jax.random.key(0), image
        )
    counts: dict[Path_, int] = {}
    for path, count in multiply_adds(traced.jaxpr):
        counts[path] = counts.get(path, 0) + count
    network = _Traced(calls, variables["params"], counts)
    roots = {"backbone": taps}
    if config.backbone == "fusion":
        roots = {name: taps[name] for name in BACKBONES}
    return Measured(
        size,
        config.in_channels,
        {name: network.backbone(name, own["features"].shape[1:]) for name, own in roots.items()},
        network.head(set(roots)),
        {name: own["feature_map"].shape[1:] for name, own in roots.items()},
        taps["features"].shape[-1],
        sum(leaf.size for leaf in jax.tree.leaves(variables["params"])),
        sum(counts.values()),
    )


def multiply_adds(jaxpr: Any, times: int = 1, stack: str = "") -> Iterator[tuple[Path_, int]]:
    """Each convolution's and matrix product's module path and multiply-adds, padding counted."""
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        here = f"{stack}/{equation.source_info.name_stack}"
        result = prod(equation.outvars[0].aval.shape) if equation.outvars else 0
        path = tuple(part for part in here.split("/") if part)[1:]
        if name == "conv_general_dilated":
            kernel, numbers = equation.invars[1].aval.shape, parameters["dimension_numbers"]
            yield path, times * result * prod(kernel) // kernel[numbers.rhs_spec[0]]
        elif name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            summed = prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            yield path, times * result * summed
        elif name == "cond":
            # A choice by platform, its default last: the convolution as an accelerator has it.
            yield from multiply_adds(parameters["branches"][-1].jaxpr, times, here)
        else:
            repeats = parameters["length"] if name == "scan" else 1
            for value in parameters.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    yield from multiply_adds(inner, times * repeats, here)


@dataclass(frozen=True)
class _Traced:
    calls: dict[Path_, Call]
    parameters: Mapping[str, Any]
    counts: dict[Path_, int]

    def backbone(self, root: str, features: Shape) -> list[Box]:
        groups: dict[str, list[Path_]] = {}
        for path in self.calls:
            if len(path) == 2 and path[0] == root:
                groups.setdefault(_part(path[1]), []).append(path)
        tail = groups.pop("mean", [])
        lines = ("over rows and columns" + ", LayerNorm" * bool(tail),)
        boxes = [self._box(name, paths) for name, paths in groups.items()]
        return [*boxes, Box("mean", "head", lines, 1, features, *self._size(tail))]

    def head(self, backbones: set[str]) -> list[Box]:
        after = [path for path in self.calls if path and path[0] not in backbones]
        whole = {path[:-1] for path in after}
        boxes = []
        for path in after:
            call = self.calls[path]
            if path in whole or (call.kind == "Dropout" and call.rate == 0.0):
                continue
            line = f"dense → {call.returned[-1]}" if call.kernel else call.kind
            name = path[-1]
            if call.kind == "Dropout":
                name, line = "dropout", f"rate {call.rate}"
            boxes.append(Box(name, "head", (line,), 1, call.returned[1:], *self._size([path])))
        return boxes

    def _box(self, name: str, paths: list[Path_]) -> Box:
        last = self.calls[paths[-1]]
        kind = "cbam" if last.kind == "CBAM" else "stage" if name.startswith("stage") else "other"
        if kind == "cbam":
            channels, reduced = last.returned[-1], self.calls[*paths[0], "channel", "reduce"]
            window = self.calls[*paths[0], "spatial", "conv", "conv"].kernel[0]
            blocks, lines = (
                1,
                (
                    f"channel gate {channels} → {reduced.returned[-1]} → {channels}, "
                    f"spatial gate {window}×{window}",
                ),
            )
        else:
            blocks, lines = self._lines(paths)
        return Box(name, kind, lines, blocks, last.returned[1:], *self._size(paths))

    def _lines(self, paths: list[Path_]) -> tuple[int, tuple[str, ...]]:
        """How many blocks a part has; and what they do, equal ones in a row as one line."""
        blocks, rows = 0, list[tuple[int, str]]()
        for path in paths:
            staged = self.calls[path].kind == "Stage"
            children = [p for p in self.calls if p[:-1] == path] if staged else [path]
            for child in children:
                text = ", ".join(self._operations(child))
                # A convolution by itself, as ConvNeXt's between stages, is not a block.
                blocks += self._repeats(child) if text and not self.calls[child].kernel else 0
                if rows and rows[-1][1] == text:
                    rows[-1] = (rows[-1][0] + self._repeats(child), text)
                elif text:
                    rows.append((self._repeats(child), text))
        return blocks, tuple(f"{n} × [ {text} ]" if n > 1 else text for n, text in rows)

    def _operations(self, root: Path_) -> Iterator[str]:
        gates: list[Path_] = []
        for path, call in self.calls.items():
            if path[: len(root)] != root or any(path[: len(gate)] == gate for gate in gates):
                continue
            if call.kind == "SqueezeExcite":
                gates.append(path)
                yield "squeeze-excite"
            elif len(call.kernel) == 2:
                yield f"dense → {call.returned[-1]}"
            elif call.kernel:
                window, _, channels, width = call.kernel
                stride = round(call.given[1] / call.returned[1])
                text = f"{window}×{window}" + f"/{stride}" * (stride > 1)
                depthwise = channels == 1 and call.given[-1] > 1
                yield text + (" depthwise" if depthwise else f" → {width}")

    def _repeats(self, path: Path_) -> int:
        """How many blocks a scan runs: its variables are stacked along a leading axis."""
        for inner, call in self.calls.items():
            if call.kernel and inner[: len(path)] == path:
                kernel = _at(self.parameters, inner)["kernel"]
                return kernel.shape[0] if len(kernel.shape) > len(call.kernel) else 1
        return 1

    def _size(self, paths: list[Path_]) -> tuple[int, int]:
        leaves = [leaf for path in paths for leaf in jax.tree.leaves(_at(self.parameters, path))]
        counted = [
            count
            for own, count in self.counts.items()
            if any(own[: len(path)] == path for path in paths)
        ]
        return sum(leaf.size for leaf in leaves), sum(counted)


def _at(tree: Mapping[str, Any], path: Path_) -> Mapping[str, Any]:
    for key in path:
        tree = tree.get(key, {})
    return tree


def _part(name: str) -> str:
    """Which box a backbone's submodule belongs to."""
    match = re.match(r"(stem|stage\d+)(_|$)", name)
    return match[1] if match else "mean" if name == "norm" else name
