"""Trace a network without computing it: operations, shapes and counts of each part."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from elbow_jax.models import BACKBONES, ModelConfig, build_model

ModulePath = tuple[str, ...]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One call of a submodule; `kernel` is the shape of its own kernel, `()` if it has none."""

    kind: str
    kernel: Shape
    rate: float
    input: Shape
    output: Shape


@dataclass(frozen=True)
class Box:
    """One part of a network, named as its variables are; `lines` describe its operations."""

    name: str
    kind: str
    lines: tuple[str, ...]
    blocks: int
    output: Shape
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class NetworkTrace:
    """A network at one image size: boxes of each backbone, and of the head after them."""

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


def trace_network(config: ModelConfig, size: int) -> NetworkTrace:
    """Trace a network on one abstract `size x size` image and group its calls into boxes."""
    module = build_model(config)
    calls: dict[ModulePath, Call] = {}

    def record(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name != "__call__":
            return call(*args, **kwargs)
        # A placeholder: calls stay in the order in which they start.
        calls.setdefault(context.module.path, Call("", (), 0.0, (), ()))
        result = call(*args, **kwargs)
        kernel = context.module.variables.get("params", {}).get("kernel")
        calls[context.module.path] = Call(
            type(context.module).__name__,
            () if kernel is None else kernel.shape,
            getattr(context.module, "rate", 0.0),
            args[0].shape,
            jax.tree.leaves(result)[0].shape,
        )
        return result

    image = jax.ShapeDtypeStruct((1, size, size, config.in_channels), jnp.float32)
    with nn.intercept_methods(record):
        trace = jax.make_jaxpr(module.init_with_output, return_shape=True)
        traced, ((_, endpoints), variables) = trace(jax.random.key(0), image)
    counts: dict[ModulePath, int] = {}
    for path, count in multiply_adds(traced.jaxpr):
        counts[path] = counts.get(path, 0) + count
    network = _Traced(calls, variables["params"], counts)
    roots = {"backbone": endpoints}
    if config.backbone == "fusion":
        roots = {name: endpoints[name] for name in BACKBONES}
    return NetworkTrace(
        size,
        config.in_channels,
        {name: network.backbone(name, root["features"].shape[1:]) for name, root in roots.items()},
        network.head(set(roots)),
        {name: root["feature_map"].shape[1:] for name, root in roots.items()},
        endpoints["features"].shape[-1],
        sum(leaf.size for leaf in jax.tree.leaves(variables["params"])),
        sum(counts.values()),
    )


def multiply_adds(jaxpr: Any, times: int = 1, stack: str = "") -> Iterator[tuple[ModulePath, int]]:
    """Yield path and multiply-adds of each convolution (padding counted) and matrix product."""
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        name_stack = f"{stack}/{equation.source_info.name_stack}"
        result = prod(equation.outvars[0].aval.shape) if equation.outvars else 0
        path = tuple(part for part in name_stack.split("/") if part)[1:]
        if name == "conv_general_dilated":
            kernel, numbers = equation.invars[1].aval.shape, parameters["dimension_numbers"]
            yield path, times * result * prod(kernel) // kernel[numbers.rhs_spec[0]]
        elif name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            summed = prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            yield path, times * result * summed
        elif name == "cond":
            # A choice by platform; the last branch is the default, which accelerators run.
            yield from multiply_adds(parameters["branches"][-1].jaxpr, times, name_stack)
        else:
            repeats = parameters["length"] if name == "scan" else 1
            for value in parameters.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    yield from multiply_adds(inner, times * repeats, name_stack)


@dataclass(frozen=True)
class _Traced:
    """The calls of a trace by module path, the parameters, and the multiply-adds by path."""

    calls: dict[ModulePath, Call]
    parameters: Mapping[str, Any]
    counts: dict[ModulePath, int]

    def backbone(self, root: str, features: Shape) -> list[Box]:
        """The boxes of a backbone; `features` is the shape of its pooled vector."""
        groups: dict[str, list[ModulePath]] = {}
        for path in self.calls:
            if len(path) == 2 and path[0] == root:
                groups.setdefault(_box_name(path[1]), []).append(path)
        tail = groups.pop("mean", [])
        lines = ("over rows and columns" + ", LayerNorm" * bool(tail),)
        boxes = [self._box(name, paths) for name, paths in groups.items()]
        return [*boxes, Box("mean", "head", lines, 1, features, *self._size(tail))]

    def head(self, backbones: set[str]) -> list[Box]:
        """The boxes after the backbones, without parent modules and dropout of rate 0."""
        paths = [path for path in self.calls if path and path[0] not in backbones]
        parents = {path[:-1] for path in paths}
        boxes = []
        for path in paths:
            call = self.calls[path]
            if path in parents or (call.kind == "Dropout" and call.rate == 0.0):
                continue
            line = f"dense → {call.output[-1]}" if call.kernel else call.kind
            name = path[-1]
            if call.kind == "Dropout":
                name, line = "dropout", f"rate {call.rate}"
            boxes.append(Box(name, "head", (line,), 1, call.output[1:], *self._size([path])))
        return boxes

    def _box(self, name: str, paths: list[ModulePath]) -> Box:
        last = self.calls[paths[-1]]
        kind = "cbam" if last.kind == "CBAM" else "stage" if name.startswith("stage") else "other"
        if kind == "cbam":
            channels, reduced = last.output[-1], self.calls[*paths[0], "channel", "reduce"]
            window = self.calls[*paths[0], "spatial", "conv", "conv"].kernel[0]
            gates = f"channel gate {channels} → {reduced.output[-1]} → {channels}"
            blocks, lines = 1, (f"{gates}, spatial gate {window}×{window}",)
        else:
            blocks, lines = self._lines(paths)
        return Box(name, kind, lines, blocks, last.output[1:], *self._size(paths))

    def _lines(self, paths: list[ModulePath]) -> tuple[int, tuple[str, ...]]:
        """Number of blocks of a part, and one line for each run of equal blocks."""
        blocks, rows = 0, list[tuple[int, str]]()
        for path in paths:
            is_stage = self.calls[path].kind == "Stage"
            children = [p for p in self.calls if p[:-1] == path] if is_stage else [path]
            for child in children:
                text = ", ".join(self._operations(child))
                # A single convolution, such as ConvNeXt's downsampling, is not a block.
                blocks += self._repeats(child) if text and not self.calls[child].kernel else 0
                if rows and rows[-1][1] == text:
                    rows[-1] = (rows[-1][0] + self._repeats(child), text)
                elif text:
                    rows.append((self._repeats(child), text))
        return blocks, tuple(f"{n} × [ {text} ]" if n > 1 else text for n, text in rows)

    def _operations(self, root: ModulePath) -> Iterator[str]:
        """Yield a word for each convolution, matrix product and squeeze-excite of a module."""
        gates: list[ModulePath] = []
        for path, call in self.calls.items():
            if path[: len(root)] != root or any(path[: len(gate)] == gate for gate in gates):
                continue
            if call.kind == "SqueezeExcite":
                gates.append(path)
                yield "squeeze-excite"
            elif len(call.kernel) == 2:
                yield f"dense → {call.output[-1]}"
            elif call.kernel:
                window, _, channels, width = call.kernel
                stride = round(call.input[1] / call.output[1])
                text = f"{window}×{window}" + f"/{stride}" * (stride > 1)
                depthwise = channels == 1 and call.input[-1] > 1
                yield text + (" depthwise" if depthwise else f" → {width}")

    def _repeats(self, path: ModulePath) -> int:
        """Number of blocks that a scan runs: the leading axis of its stacked variables."""
        for inner, call in self.calls.items():
            if call.kernel and inner[: len(path)] == path:
                kernel = _subtree(self.parameters, inner)["kernel"]
                return kernel.shape[0] if len(kernel.shape) > len(call.kernel) else 1
        return 1

    def _size(self, paths: list[ModulePath]) -> tuple[int, int]:
        """Parameters and multiply-adds of some modules."""
        leaves = [
            leaf for path in paths for leaf in jax.tree.leaves(_subtree(self.parameters, path))
        ]
        counted = [
            count
            for counted_path, count in self.counts.items()
            if any(counted_path[: len(path)] == path for path in paths)
        ]
        return sum(leaf.size for leaf in leaves), sum(counted)


def _subtree(tree: Mapping[str, Any], path: ModulePath) -> Mapping[str, Any]:
    for key in path:
        tree = tree.get(key, {})
    return tree


def _box_name(name: str) -> str:
    """The box of a backbone's submodule."""
    match = re.match(r"(stem|stage\d+)(_|$)", name)
    return match[1] if match else "mean" if name == "norm" else name
