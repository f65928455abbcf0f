"""A record's own page, and the documents that show records between two markers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.throughput.results import records
from benchmarks.throughput.results.summary import ceilings, network_comparisons
from benchmarks.throughput.results.tables import WORKS, all_tables
from elbow_core.errors import UserError
from elbow_core.files import atomic_file

COMMAND = "python -m benchmarks.throughput"
BEGIN, END = "<!-- throughput: begin -->", "<!-- throughput: end -->"
TABLES_PAGE = "docs/performance/throughput.md"
DOCUMENTS = {TABLES_PAGE: "tables", "README.md": "summary"}
"""The documents with markers, and the content between these: all tables or a summary."""

SUMMARY_SIZE = 384  # pixels
NO_GPU = f"*GPU: not measured. On a machine with a GPU, `{COMMAND}` measures it.*"


def document(record: dict[str, Any]) -> str:
    """A record's page in Markdown."""
    lines = [f"# Throughput on {record['name']}", "", f"    {COMMAND}", "", *_setting(record), ""]
    if record["quick"]:
        lines += ["A quick run on small networks: not a comparison.", ""]
    return "\n".join([*lines, *all_tables(record, "##")])


def refresh(root: Path, directory: Path) -> Iterator[Path]:
    """Rewrite the documents and the pages of the records in `directory`; yield what changed."""
    found = records.read_all(directory)
    pages = {path.with_suffix(".md"): document(record) for path, record in found.items()}
    for name in DOCUMENTS:
        text = (root / name).read_text(encoding="utf-8")
        pages[root / name] = fill(text, list(found.values()), name)
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            with atomic_file(path) as partial:
                partial.write_text(text, encoding="utf-8")
            yield path


def fill(text: str, measured: Sequence[dict[str, Any]], name: str) -> str:
    """Replace the text between a document's markers; without markers, return it unchanged.

    Raises:
        UserError: one marker stands without the other.
    """
    if BEGIN not in text and END not in text:
        return text
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{name}: needs both {BEGIN} and {END}, in this order")
    parts = _tables(measured) if DOCUMENTS[name] == "tables" else _summary(measured)
    return "\n".join([before + begin, "", *parts, "", end + after])


def _tables(measured: Sequence[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for record in measured:
        lines += [f"### {record['name']}", "", *_setting(record), "", *all_tables(record, "####")]
    return lines + [NO_GPU] * (not _has_gpu(measured))


def _summary(measured: Sequence[dict[str, Any]]) -> list[str]:
    """One line a device: its ratios at `SUMMARY_SIZE` pixels, lowest to highest network."""
    lines = [
        f"JAX's speed over that of PyTorch's fastest mode at {SUMMARY_SIZE} pixels, from the "
        f"slowest to the fastest network (`{COMMAND}`; [all tables]({TABLES_PAGE})):",
        "",
    ]
    for record in measured:
        ranges = [f"{words} {_range(record, work)}" for work, words in WORKS.items()]
        lines.append(f"- {record['name']}, {record['precision']}: {', '.join(ranges)}")
    return lines + ["- GPU: not measured"] * (not _has_gpu(measured))


def _range(record: dict[str, Any], work: str) -> str:
    ratios = [
        median(one.ratios())
        for one in network_comparisons(record["rows"])
        if one.case.work == work and one.case.size == SUMMARY_SIZE and one.ratios()
    ]
    if not ratios:
        return "not measured"
    if len(ratios) == 1:
        return f"{ratios[0]:.2f} (one network measured)"
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _has_gpu(measured: Sequence[dict[str, Any]]) -> bool:
    return any(record["device"] == "gpu" for record in measured)


def _setting(record: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [f"{record['precision']}; Python {record['python']}, {versions}."]
    if record["settings"]:
        settings = ", ".join(f"`{name}={value}`" for name, value in record["settings"].items())
        lines.append(f"Environment: {settings}.")
    peaks = ceilings(record["rows"])
    if "matrix_product" in peaks:
        lines.append(
            f"Measured peaks: matrix product {peaks['matrix_product'] / 1e9:,.0f} GFLOP/s, copy "
            f"{peaks.get('copy', 0) / 1e9:,.1f} GB/s."
        )
    parallel = max((row.get("side_by_side", 1) for row in record["rows"]), default=1)
    if parallel > 1:
        lines.append(
            f"Up to {parallel} processes compiled side by side; the others were stopped while one "
            "was timed."
        )
    loads = [row["load"] for row in record["rows"]]
    if loads and record["device"] == "cpu":
        lines.append(
            f"Load average before a measurement: median {median(loads):.1f}, highest "
            f"{max(loads):.1f}; it includes the benchmark's own processes."
        )
    return lines
