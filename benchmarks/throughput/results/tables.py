"""The tables of a record, as Markdown."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from benchmarks.throughput.results.summary import (
    Comparison,
    ModeResult,
    ceilings,
    comparisons,
    network_comparisons,
    spread,
)

TITLES = {
    "convnext_tiny": "ConvNeXt-Tiny",
    "efficientnetv2_s": "EfficientNetV2-S",
    "mobilenetv3_large": "MobileNetV3-Large",
    "fusion": "Fusion",
}
WORKS = {"inference": "inference", "train": "training step"}
Rows = list[list[str]]


def all_tables(record: dict[str, Any], heading: str) -> list[str]:
    """Lines of every table that has rows, each below its title; `heading` is `##` or deeper."""
    parts = {
        "JAX against PyTorch's fastest mode": _comparison(record),
        "All modes": _modes(record),
        "Compile time": _compile_time(record),
        "Depthwise convolutions": _depthwise(record),
        "End to end, with data loading": _end_to_end(record),
        "Cold start to the first training step": _cold_start(record),
        "Cost by size, batch and devices": _scale(record),
    }
    lines: list[str] = []
    for title, rows in parts.items():
        if rows:
            lines += [f"{heading} {title}", "", *rows, ""]
    return lines


def _comparison(record: dict[str, Any]) -> list[str]:
    peak = ceilings(record["rows"]).get("matrix_product")
    rows: Rows = []
    for one in network_comparisons(record["rows"]):
        mode = f" ({_mode_name(one.torch.mode)})" if one.torch else ""
        rows.append(
            [
                *_case_cells(one),
                _rate(one, one.jax),
                _rate(one, one.torch) + mode,
                _ratio(one.ratios()),
                _ratio(one.ratios("cpu_seconds")) if record["device"] == "cpu" else "-",
                " / ".join(_share(one, result, peak) for result in (one.jax, one.torch)),
                " / ".join(_memory(result) for result in (one.jax, one.torch)),
            ]
        )
    head = ["network", "work", "pixels", "batch", "JAX, images/s", "PyTorch, images/s"]
    head += ["JAX / PyTorch", "JAX / PyTorch by CPU time", "share of peak FLOP/s"]
    return _table([*head, "peak memory, MiB"], rows)


def _modes(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in _measured_in_rounds(record):
        for result in one.modes:
            rate = result.note or f"{_rate(one, result)}{_rounds(result)}"
            framework = _framework(result)
            rows.append([*_case_cells(one), framework, _mode_name(result.mode), rate])
    head = ["network", "work", "pixels", "batch", "framework", "mode", "images/s (each round)"]
    return _table(head, rows)


def _compile_time(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in _measured_in_rounds(record):
        for result in one.modes:
            compiled, loaded = (result.compile_seconds(cached) for cached in (False, True))
            if compiled is not None or loaded is not None:
                traced = result.median_of("trace_s") if result.framework == "jax" else None
                mode = [_framework(result), _mode_name(result.mode)]
                seconds = map(_seconds, (traced, compiled, loaded))
                rows.append([*_case_cells(one), *mode, *seconds])
    head = ["network", "work", "pixels", "batch", "framework", "mode"]
    return _table([*head, "trace, s", "compile, s", "load from cache, s"], rows)


def _depthwise(record: dict[str, Any]) -> list[str]:
    peak = ceilings(record["rows"]).get("copy", 0.0)
    width = 4 if record["precision"] == "float32" else 2
    rows: Rows = []
    for one in comparisons(record["rows"], "depthwise"):
        pair = (one.jax, one.torch)
        times = ["-" if result is None else _number(result.seconds * 1e3) for result in pair]
        rates = [None if result is None else one.bytes_per_second(result, width) for result in pair]
        shares = [f"{rate / peak:.0%}" if rate and peak else "-" for rate in rates]
        work = [one.case.name, one.case.work, str(one.case.batch)]
        rows.append([*work, *times, _ratio(one.ratios()), " / ".join(shares)])
    head = ["layer", "work", "batch", "JAX, ms", "PyTorch, ms", "JAX / PyTorch"]
    return _table([*head, "share of copy bandwidth"], rows)


def _end_to_end(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in comparisons(record["rows"], "end_to_end"):
        cells = _case_cells_without_work(one)
        if one.jax is None:
            rows.append([*cells, one.modes[0].note, "-", "-"])
            continue
        resident = one.jax.median_of("resident_seconds")
        waiting = max(0.0, 1.0 - resident / one.jax.seconds)
        rows.append(
            [*cells, _rate(one, one.jax), _number(one.case.batch / resident), f"{waiting:.0%}"]
        )
    head = ["network", "pixels", "batch", "with loading, images/s", "resident batch, images/s"]
    return _table([*head, "time waiting for data"], rows)


def _cold_start(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in comparisons(record["rows"], "cold_start"):
        for result in one.modes:
            seconds = result.note or f"{result.median_of('first_step_s'):.1f}"
            mode = [_framework(result), _mode_name(result.mode)]
            rows.append([*_case_cells_without_work(one), *mode, seconds])
    return _table(["network", "pixels", "batch", "framework", "mode", "seconds"], rows)


def _scale(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in comparisons(record["rows"], "scale"):
        costs = [
            result.note or _number(result.seconds / one.case.batch * 1e3) for result in one.modes
        ]
        costs += ["-"] * (2 - len(costs))
        rows.append([*_case_cells_without_work(one), str(one.case.devices), *costs])
    head = ["network", "pixels", "batch", "devices", "JAX, ms/image"]
    return _table([*head, "PyTorch (eager, channels last), ms/image"], rows)


def _measured_in_rounds(record: dict[str, Any]) -> Iterator[Comparison]:
    yield from comparisons(record["rows"], "inference")
    yield from comparisons(record["rows"], "train")


def _case_cells(one: Comparison) -> list[str]:
    """The cells of a case: network, work, pixels, batch."""
    case = one.case
    name = TITLES[case.name] + " (small)" * (case.variant == "small")
    return [name, WORKS[case.work], str(case.size), str(case.batch)]


def _case_cells_without_work(one: Comparison) -> list[str]:
    name, _, size, batch = _case_cells(one)
    return [name, size, batch]


def _framework(result: ModeResult) -> str:
    return "JAX" if result.framework == "jax" else "PyTorch"


def _mode_name(mode: str) -> str:
    words = mode.replace("_channels_last", ", channels last").replace("_kept", ", kept memory")
    return words.replace("_", " ")


def _rate(one: Comparison, result: ModeResult | None) -> str:
    """Images a second, or the note of a mode that did not run."""
    if result is None or not result.rounds:
        return next((mode.note for mode in one.modes if mode.note), "-")
    return _number(one.case.batch / result.seconds)


def _rounds(result: ModeResult) -> str:
    """Images a second of each round, in brackets."""
    batch = next(iter(result.rounds.values()))["batch"]
    rounds = [result.rounds[number]["seconds"] for number in sorted(result.rounds)]
    return f" ({', '.join(_number(batch / median(steps)) for steps in rounds)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    low, high = spread(ratios)
    return f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"


def _share(one: Comparison, result: ModeResult | None, peak: float | None) -> str:
    rate = None if result is None else one.operations_per_second(result)
    return "-" if rate is None or peak is None else f"{rate / peak:.0%}"


def _memory(result: ModeResult | None) -> str:
    return "-" if result is None else f"{result.median_of('peak_mib'):,.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _table(head: Sequence[str], rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]
