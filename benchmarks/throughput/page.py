"""Tables of a record, and the documents that show them between two markers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.throughput.records import read_all
from benchmarks.throughput.summary import (
    Comparison,
    Contender,
    ceilings,
    comparisons,
    networks,
    spread,
)
from elbow_core.errors import UserError
from elbow_core.files import atomic_file

COMMAND = "python -m benchmarks.throughput"
BEGIN, END = "<!-- throughput: begin -->", "<!-- throughput: end -->"
DOCUMENTS = {"docs/throughput.md": "all", "README.md": "main"}
"""Which documents hold tables: all of them, or the comparison alone."""

NO_GPU = (
    f"*GPU: not measured yet. On a machine with one, `{COMMAND}` measures it and adds its tables.*"
)
TITLES = {
    "convnext_tiny": "ConvNeXt-Tiny",
    "efficientnetv2_s": "EfficientNetV2-S",
    "mobilenetv3_large": "MobileNetV3-Large",
    "fusion": "Fusion",
}
WORKS = {"inference": "inference", "train": "training step"}
Rows = list[list[str]]


def document(record: dict[str, Any]) -> str:
    """A record's page of Markdown."""
    lines = [f"# Throughput on {record['name']}", "", f"    {COMMAND}", "", *_setting(record), ""]
    if record["quick"]:
        lines += ["A quick look at small networks: not a comparison.", ""]
    return "\n".join([*lines, *_tables(record, "##")])


def refresh(root: Path, directory: Path) -> Iterator[Path]:
    """Write the tables of the records in `directory` into the documents; yield what changed."""
    records = read_all(directory)
    for name in DOCUMENTS:
        path = root / name
        before = path.read_text(encoding="utf-8")
        after = filled(before, records, name)
        if after != before:
            with atomic_file(path) as partial:
                partial.write_text(after, encoding="utf-8")
            yield path


def filled(text: str, records: Sequence[dict[str, Any]], name: str) -> str:
    """A document with the records' tables between its markers; as it is where it has none.

    Raises:
        UserError: one marker stands without the other.
    """
    if BEGIN not in text and END not in text:
        return text
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise UserError(f"{name}: needs both {BEGIN} and {END}, in this order")
    parts = []
    for record in records:
        if DOCUMENTS[name] == "all":
            parts += [f"### {record['name']}", "", *_setting(record), "", *_tables(record, "####")]
        else:
            parts += [f"{record['name']}, {record['precision']}:", "", *_main(record), ""]
    if not any(record["device"] == "gpu" for record in records):
        parts += [NO_GPU, ""]
    return "\n".join([before + begun, "", *parts, ended + after])


def _setting(record: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [f"{record['precision']}; Python {record['python']}, {versions}."]
    if record["settings"]:
        kept = ", ".join(f"`{name}={value}`" for name, value in record["settings"].items())
        lines.append(f"Measured under {kept}.")
    top = ceilings(record["rows"])
    if "matrix_product" in top:
        lines.append(f"Ceilings: matrix product {top['matrix_product'] / 1e9:,.0f} GFLOP/s, ")
        lines[-1] += f"copy {top.get('copy', 0) / 1e9:,.1f} GB/s."
    loads = [row["load"] for row in record["rows"]]
    if loads and record["device"] == "cpu":
        lines.append(
            f"Load average at the start of a measurement: median {median(loads):.1f}, highest "
            f"{max(loads):.1f}, the benchmark's own processes among it."
        )
    return lines


def _tables(record: dict[str, Any], heading: str) -> list[str]:
    parts = {
        "JAX against the best of PyTorch's modes": _main(record),
        "Every mode, images a second": _modes(record),
        "Compiling": _compiling(record),
        "Depthwise convolutions alone": _depthwise(record),
        "End to end": _end_to_end(record),
        "From a cold start to the first training step": _cold_start(record),
        "Cost against size, batch and devices": _scale(record),
    }
    lines: list[str] = []
    for title, rows in parts.items():
        if rows:
            lines += [f"{heading} {title}", "", *rows, ""]
    return lines


def _main(record: dict[str, Any]) -> list[str]:
    top = ceilings(record["rows"]).get("matrix_product")
    rows: Rows = []
    for one in networks(record["rows"]):
        rows.append(
            [
                *_title(one),
                _rate(one, one.jax),
                _rate(one, one.torch) + (f" ({_words(one.torch.mode)})" if one.torch else ""),
                _ratio(one.ratios()),
                _ratio(one.ratios("cpu_seconds")) if record["device"] == "cpu" else "-",
                " / ".join(_share(one, contender, top) for contender in (one.jax, one.torch)),
                " / ".join(_memory(contender) for contender in (one.jax, one.torch)),
            ]
        )
    head = ["network", "work", "pixels", "batch", "JAX, images/s", "PyTorch, images/s"]
    head += ["JAX / PyTorch", "the same by processor time", "of the ceiling", "peak memory, MiB"]
    return _table(head, rows)


def _modes(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in _by_rounds(record):
        for contender in one.modes:
            framework = "JAX" if contender.framework == "jax" else "PyTorch"
            figure = contender.note or f"{_rate(one, contender)}{_spread(contender)}"
            rows.append([*_title(one), framework, _words(contender.mode), figure])
    head = ["network", "work", "pixels", "batch", "framework", "mode", "images/s (each round)"]
    return _table(head, rows)


def _compiling(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in _by_rounds(record):
        for contender in one.modes:
            fresh, kept = (contender.compile_seconds(cached) for cached in (False, True))
            if fresh is not None or kept is not None:
                traced = contender.middle("trace_s") if contender.framework == "jax" else None
                who = f"{contender.framework} {_words(contender.mode)}"
                rows.append([*_title(one), who, *map(_seconds, (traced, fresh, kept))])
    head = ["network", "work", "pixels", "batch", "contender"]
    return _table([*head, "trace, s", "compile, s", "from its cache, s"], rows)


def _depthwise(record: dict[str, Any]) -> list[str]:
    top = ceilings(record["rows"]).get("copy", 0.0)
    width = 4 if record["precision"] == "float32" else 2
    rows: Rows = []
    for one in comparisons(record["rows"], "depthwise"):
        pair = (one.jax, one.torch)
        figures = ["-" if each is None else _figure(each.seconds * 1e3) for each in pair]
        shares = [
            "-" if each is None or not top else f"{one.bytes_per_second(each, width) / top:.0%}"
            for each in pair
        ]
        work = [one.case.name, one.case.work, str(one.case.batch)]
        rows.append([*work, *figures, _ratio(one.ratios()), " / ".join(shares)])
    head = ["layer", "work", "batch", "JAX, ms", "PyTorch, ms", "JAX / PyTorch", "of the copy rate"]
    return _table(head, rows)


def _end_to_end(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in comparisons(record["rows"], "end_to_end"):
        row = _title(one)[:1] + _title(one)[2:]
        if one.jax is None:
            rows.append([*row, one.modes[0].note, "-", "-"])
            continue
        resident = one.jax.middle("resident_seconds")
        waiting = max(0.0, 1.0 - resident / one.jax.seconds)
        kept = _figure(one.case.batch / resident)
        rows.append([*row, _rate(one, one.jax), kept, f"{waiting:.0%}"])
    head = ["network", "pixels", "batch", "from the archive, images/s"]
    return _table([*head, "the same batch, images/s", "share of time waiting for data"], rows)


def _cold_start(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in comparisons(record["rows"], "cold_start"):
        for contender in one.modes:
            framework = "JAX" if contender.framework == "jax" else "PyTorch"
            taken = contender.note or f"{contender.middle('first_step_s'):.1f}"
            row = _title(one)[:1] + _title(one)[2:]
            rows.append([*row, framework, _words(contender.mode), taken])
    return _table(["network", "pixels", "batch", "framework", "mode", "seconds"], rows)


def _scale(record: dict[str, Any]) -> list[str]:
    rows: Rows = []
    for one in comparisons(record["rows"], "scale"):
        figures = [
            contender.note or _figure(contender.seconds / one.case.batch * 1e3)
            for contender in one.modes
        ]
        figures += ["-"] * (2 - len(figures))
        row = _title(one)[:1] + _title(one)[2:]
        rows.append([*row, str(one.case.devices), *figures])
    head = ["network", "pixels", "batch", "devices", "JAX, ms an image"]
    return _table([*head, "PyTorch (eager, channels last), ms an image"], rows)


def _by_rounds(record: dict[str, Any]) -> Iterator[Comparison]:
    yield from comparisons(record["rows"], "inference")
    yield from comparisons(record["rows"], "train")


def _title(one: Comparison) -> list[str]:
    case = one.case
    name = TITLES[case.name] + " (small)" * (case.variant == "small")
    return [name, WORKS[case.work], str(case.size), str(case.batch)]


def _rate(one: Comparison, contender: Contender | None) -> str:
    if contender is None or not contender.rounds:
        return next((mode.note for mode in one.modes if mode.note), "-")
    return _figure(one.case.batch / contender.seconds)


def _spread(contender: Contender) -> str:
    batch = next(iter(contender.rounds.values()))["batch"]
    rounds = [contender.rounds[number]["seconds"] for number in sorted(contender.rounds)]
    return f" ({', '.join(_figure(batch / median(steps)) for steps in rounds)})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    low, high = spread(ratios)
    return f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"


def _share(one: Comparison, contender: Contender | None, top: float | None) -> str:
    done = None if contender is None else one.operations_per_second(contender)
    return "-" if done is None or top is None else f"{done / top:.0%}"


def _memory(contender: Contender | None) -> str:
    return "-" if contender is None else f"{contender.middle('peak_mib'):,.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _words(mode: str) -> str:
    words = mode.replace("_channels_last", ", channels last").replace("_kept", ", kept memory")
    return words.replace("_", " ")


def _table(head: Sequence[str], rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]
