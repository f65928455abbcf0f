"""From rows to metrics: medians over rounds, speed ratios, and shares of the device's peaks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Any

from benchmarks.throughput.cases import LAYERS, Case

OPERATIONS = {"inference": 2, "train": 6}
"""Floating-point operations for each multiply-add: forward; forward and both gradients."""

QUARTILES_FROM = 8  # number of ratios from which quartiles replace the extremes


@dataclass(frozen=True)
class ModeResult:
    """One framework's mode at one case: its rows by round, or a note that says why none exist."""

    framework: str
    mode: str
    rounds: dict[int, dict[str, Any]]
    note: str

    @property
    def seconds(self) -> float:
        """Seconds for one step: median over rounds of each round's median."""
        return self.median_of("seconds")

    def median_of(self, name: str) -> float:
        """Median over rounds of a metric; a list within a row counts as its median."""
        return median(_median(row[name]) for row in self.rounds.values())

    def compile_seconds(self, cached: bool) -> float | None:
        """Seconds to compile, or to load from the compilation cache; None if never measured."""
        found = [
            row["compile_s"]
            for row in self.rounds.values()
            if "compile_s" in row and row["from_cache"] == cached
        ]
        return median(found) if found else None


@dataclass(frozen=True)
class Comparison:
    """All measured modes of a case; `torch` is PyTorch's fastest."""

    case: Case
    jax: ModeResult | None
    torch: ModeResult | None
    modes: list[ModeResult]
    multiply_adds: int | None

    def ratios(self, metric: str = "seconds") -> list[float]:
        """PyTorch's time over JAX's, above 1 where JAX is faster.

        One ratio for each pair of neighbouring turns, or for each round that both frameworks have.
        """
        if self.jax is None or self.torch is None:
            return []
        shared = sorted(self.jax.rounds.keys() & self.torch.rounds.keys())
        pairs = [
            (self.torch.rounds[number][metric], self.jax.rounds[number][metric])
            for number in shared
        ]
        if self.case.part == "turns":
            return [torch / jax for pair in pairs for torch, jax in zip(*pair, strict=True)]
        return [_median(torch) / _median(jax) for torch, jax in pairs]

    def operations_per_second(self, result: ModeResult) -> float | None:
        """FLOP/s of the network's own arithmetic, whatever algorithm computes it."""
        if self.multiply_adds is None:
            return None
        work = self.multiply_adds * OPERATIONS[self.case.work] * self.case.batch
        return work / result.seconds

    def bytes_per_second(self, result: ModeResult, width: int) -> float:
        """Minimum traffic of a depthwise layer a second: each array is read or written once.

        `width` is the bytes of one element.
        """
        layer = LAYERS[self.case.name]
        side = self.case.size // layer.reduction
        inputs = side * side * layer.channels * self.case.batch
        outputs = inputs // layer.stride**2
        elements = inputs + outputs if self.case.work == "forward" else 2 * inputs + outputs
        return elements * width / result.seconds


def comparisons(rows: Iterable[dict[str, Any]], part: str) -> Iterator[Comparison]:
    """Yield the cases of a part in the order in which they were first measured."""
    grouped: dict[Case, dict[tuple[str, str], list[dict[str, Any]]]] = {}
    for row in rows:
        if row["part"] == part:
            case = Case(**{name: row[name] for name in Case.__dataclass_fields__})
            by_mode = grouped.setdefault(case, {})
            by_mode.setdefault((row["framework"], row["mode"]), []).append(row)
    for case, found in grouped.items():
        modes = [_mode_result(*pair, measured) for pair, measured in found.items()]
        timed = [one for one in modes if any("seconds" in row for row in one.rounds.values())]
        jax = next((one for one in timed if one.framework == "jax"), None)
        torch = min(
            (one for one in timed if one.framework == "torch"),
            key=lambda one: one.seconds,
            default=None,
        )
        counts = (row.get("multiply_adds") for rows in found.values() for row in rows)
        yield Comparison(case, jax, torch, modes, next(filter(None, counts), None))


def fastest_mode(rows: Iterable[dict[str, Any]], case: Case) -> str | None:
    """PyTorch's fastest mode in the rounds of a case's work; None where none was measured."""
    for one in comparisons(rows, case.work):
        if replace(one.case, part=case.part) == case and one.torch is not None:
            return one.torch.mode
    return None


def network_comparisons(rows: Sequence[dict[str, Any]]) -> Iterator[Comparison]:
    """Yield the networks' cases, from interleaved turns where PyTorch ran its fastest mode."""
    interleaved = {one.case: one for one in comparisons(rows, "turns")}
    for part in OPERATIONS:
        for one in comparisons(rows, part):
            turns = interleaved.get(replace(one.case, part="turns"))
            same = turns and one.torch and turns.torch and one.torch.mode == turns.torch.mode
            yield turns if turns and same and turns.jax else one


def spread(ratios: Sequence[float]) -> tuple[float, float]:
    """The quartiles of many ratios, or the extremes of few."""
    if len(ratios) < QUARTILES_FROM:
        return min(ratios), max(ratios)
    low, _, high = quantiles(ratios, n=4)
    return low, high


def ceilings(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Peak FLOP/s (`matrix_product`) and bytes/s (`copy`) that either framework reached."""
    found: dict[str, float] = {}
    for comparison in comparisons(rows, "ceilings"):
        work = comparison.case.work
        for result in (comparison.jax, comparison.torch):
            if result is not None:
                amount = next(iter(result.rounds.values()))["ceiling_work"]
                fastest = min(min(row["seconds"]) for row in result.rounds.values())
                found[work] = max(found.get(work, 0.0), amount / fastest)
    return found


def _mode_result(framework: str, mode: str, rows: list[dict[str, Any]]) -> ModeResult:
    mode = rows[-1].get("ran", mode)
    measured = {
        row["round"]: row for row in rows if "note" not in row and row.get("ran", mode) == mode
    }
    note = next((row["note"] for row in rows if "note" in row), "")
    return ModeResult(framework, mode, measured, "" if measured else note)


def _median(value: Any) -> float:
    return median(value) if isinstance(value, list) else value
