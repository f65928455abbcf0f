"""From measurements to figures: medians over rounds, ratios round by round, shares of ceilings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Any

from benchmarks.throughput.cases import LAYERS, Case

OPERATIONS = {"inference": 2, "train": 6}
"""Floating-point operations for each multiply-add: forward; forward and both gradients."""


MANY = 8  # ratios, of which quartiles tell more than extremes


@dataclass(frozen=True)
class Contender:
    """One framework in one mode at one case: its measurements by round, or why there are none."""

    framework: str
    mode: str
    rounds: dict[int, dict[str, Any]]
    note: str

    @property
    def seconds(self) -> float:
        """Median over rounds of the round's median step, in seconds."""
        return self.middle("seconds")

    def middle(self, name: str) -> float:
        """Median over rounds of a figure, itself the round's median where it has several."""
        return median(_median(row[name]) for row in self.rounds.values())

    def compile_seconds(self, cached: bool) -> float | None:
        """Seconds to compile, or to load what a compilation cache kept; None if never measured."""
        found = [
            row["compile_s"]
            for row in self.rounds.values()
            if "compile_s" in row and row["from_cache"] == cached
        ]
        return median(found) if found else None


@dataclass(frozen=True)
class Comparison:
    """All contenders of a case; `torch` is its fastest mode."""

    case: Case
    jax: Contender | None
    torch: Contender | None
    modes: list[Contender]
    multiply_adds: int | None

    def ratios(self, figure: str = "seconds") -> list[float]:
        """PyTorch's time over JAX's, above 1 where JAX is faster.

        In turns, of each pair of turns; else of each round that both were in.
        """
        if self.jax is None or self.torch is None:
            return []
        shared = sorted(self.jax.rounds.keys() & self.torch.rounds.keys())
        pairs = [
            (self.torch.rounds[each][figure], self.jax.rounds[each][figure]) for each in shared
        ]
        if self.case.part == "turns":
            return [theirs / ours for pair in pairs for theirs, ours in zip(*pair, strict=True)]
        return [_median(theirs) / _median(ours) for theirs, ours in pairs]

    def operations_per_second(self, contender: Contender) -> float | None:
        """Floating-point operations a second of the network itself, however they are computed."""
        if self.multiply_adds is None:
            return None
        work = self.multiply_adds * OPERATIONS[self.case.work] * self.case.batch
        return work / contender.seconds

    def bytes_per_second(self, contender: Contender, width: int) -> float:
        """Least traffic of a depthwise layer a second: each array read or written once."""
        layer = LAYERS[self.case.name]
        side = self.case.size // layer.reduction
        given = side * side * layer.channels * self.case.batch
        made = given // layer.stride**2
        arrays = given + made if self.case.work == "forward" else 2 * given + made
        return arrays * width / contender.seconds


def comparisons(rows: Iterable[dict[str, Any]], part: str) -> Iterator[Comparison]:
    """The cases of a part in the order in which they were first measured."""
    grouped: dict[Case, dict[tuple[str, str], list[dict[str, Any]]]] = {}
    for row in rows:
        if row["part"] == part:
            case = Case(**{name: row[name] for name in Case.__dataclass_fields__})
            own = grouped.setdefault(case, {})
            own.setdefault((row["framework"], row["mode"]), []).append(row)
    for case, found in grouped.items():
        modes = [_contender(*pair, measured) for pair, measured in found.items()]
        run = [one for one in modes if any("seconds" in row for row in one.rounds.values())]
        jax = next((one for one in run if one.framework == "jax"), None)
        torch = min(
            (one for one in run if one.framework == "torch"),
            key=lambda one: one.seconds,
            default=None,
        )
        counted = (row.get("multiply_adds") for rows in found.values() for row in rows)
        yield Comparison(case, jax, torch, modes, next(filter(None, counted), None))


def fastest(rows: Iterable[dict[str, Any]], case: Case) -> str | None:
    """PyTorch's fastest mode in the rounds of a case's work; None where none was measured."""
    for one in comparisons(rows, case.work):
        if replace(one.case, part=case.part) == case and one.torch is not None:
            return one.torch.mode
    return None


def networks(rows: Sequence[dict[str, Any]]) -> Iterator[Comparison]:
    """The networks' cases, in turns where those were against PyTorch's fastest mode."""
    in_turns = {one.case: one for one in comparisons(rows, "turns")}
    for part in OPERATIONS:
        for one in comparisons(rows, part):
            other = in_turns.get(replace(one.case, part="turns"))
            same = other and one.torch and other.torch and one.torch.mode == other.torch.mode
            yield other if other and same and other.jax else one


def spread(ratios: Sequence[float]) -> tuple[float, float]:
    """Between what the middle half of many ratios lies, or all of few."""
    if len(ratios) < MANY:
        return min(ratios), max(ratios)
    low, _, high = quantiles(ratios, n=4)
    return low, high


def ceilings(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Most operations and bytes a second, of either framework, in a matrix product and a copy."""
    found: dict[str, float] = {}
    for comparison in comparisons(rows, "ceilings"):
        work = comparison.case.work
        for contender in (comparison.jax, comparison.torch):
            if contender is not None:
                done = next(iter(contender.rounds.values()))["ceiling_work"]
                fastest = min(min(row["seconds"]) for row in contender.rounds.values())
                found[work] = max(found.get(work, 0.0), done / fastest)
    return found


def _contender(framework: str, mode: str, rows: list[dict[str, Any]]) -> Contender:
    mode = rows[-1].get("ran", mode)
    measured = {
        row["round"]: row for row in rows if "note" not in row and row.get("ran", mode) == mode
    }
    note = next((row["note"] for row in rows if "note" in row), "")
    return Contender(framework, mode, measured, "" if measured else note)


def _median(figure: Any) -> float:
    return median(figure) if isinstance(figure, list) else figure
