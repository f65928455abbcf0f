"""A table of runs as text, CSV and a self-contained page."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from elbow_core.html_page import render_page
from elbow_core.printable import one_line
from elbow_core.runs.comparison.table import FIRST_COLUMNS, Cell, Table
from elbow_core.tables import write_csv_table

CSV_MARK = ",".join(FIRST_COLUMNS)
PAGE_MARK = "<!-- elbow_core.runs: a table of runs -->"
"""How the files that this module writes begin."""

_WIDEST = 40
_STYLE = """
body { max-width: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left;
  white-space: nowrap; }
thead th { position: sticky; top: 0; background: #fff; border-bottom: 2px solid #888; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


def write_csv(path: Path, table: Table) -> None:
    """Write a table as CSV; numbers have all their digits, an empty cell says nothing."""
    rows = [["" if cell is None else cell for cell in row] for row in table.rows]
    write_csv_table(path, table.columns, rows)


def text_of(table: Table) -> str:
    """Return a table for a terminal: metrics to four digits, long settings cut, - for none."""
    lines = [list(table.columns), *(list(map(_shown, row)) for row in table.rows)]
    cut = [[one_line(run), *(one_line(_cut(cell)) for cell in cells)] for run, *cells in lines]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cut)


def page_of(table: Table, left_out: Sequence[str]) -> str:
    """Return a page with a table and with lines about what is left out of it."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    body = "\n".join(f"<tr>{_html_row(row)}</tr>" for row in table.rows)
    content = (
        f"<h1>Runs</h1>\n<p>{len(table.rows)} runs and the settings that differ between them.</p>\n"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Runs">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )
    if left_out:
        lines = "".join(f"<li>{escape(one_line(line))}</li>" for line in left_out)
        content += f"\n<h2>Left out</h2>\n<ul>{lines}</ul>"
    return f"{PAGE_MARK}\n{render_page('Runs', content, _STYLE)}"


def _html_row(row: Sequence[Cell]) -> str:
    """Return the cells of a row; the first, which names the run, is its head."""
    run, *cells = row
    return f'<th scope="row">{_html_text(run)}</th>' + "".join(
        f"<td>{_html_text(cell)}</td>"
        if isinstance(cell, str)
        else f'<td class="number">{_html_text(cell)}</td>'
        for cell in cells
    )


def _html_text(cell: Cell) -> str:
    return escape(one_line(_shown(cell)))


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"...{text[3 - _WIDEST :]}"
