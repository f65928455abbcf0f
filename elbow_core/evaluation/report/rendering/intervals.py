"""A table of intervals as HTML: each interval drawn in SVG on one scale, its numbers beside it."""

import math
from html import escape

from elbow_core.evaluation.report.rendering.document import Interval, IntervalRow, IntervalTable

HEIGHT = 16
"""Of a drawing, in CSS pixels; its width is that of the page's style."""
SERIES = 7
"""Colours of series in the page's style."""


def interval_table(table: IntervalTable) -> str:
    """Return the table; its drawings are hidden from screen readers, which read the numbers.

    The scale reaches from 0.5, or from the tenth below the lowest end, to 1. Roles are explicit,
    since a style that shows rows as blocks would remove those of the tags.
    """
    least = scale_start(table)
    drawn = [
        any(isinstance(row.cells[column], Interval) for row in table.rows)
        for column in range(len(table.header) - 1)
    ]
    scale = f'<span class="scale" aria-hidden="true"><span>{least:g}</span><span>1</span></span>'
    header = f'<th scope="col" role="columnheader">{escape(table.header[0])}</th>' + "".join(
        f'<th scope="col" role="columnheader"{_class(plot)}>{escape(name)}{scale if plot else ""}'
        "</th>"
        for name, plot in zip(table.header[1:], drawn, strict=True)
    )
    rows = "\n".join(_row(row, table.header[1:], least) for row in table.rows)
    return (
        f'<table class="intervals" role="table">\n<caption>{escape(table.caption)}</caption>\n'
        f'<thead role="rowgroup"><tr role="row">{header}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{rows}\n</tbody></table>'
    )


def scale_start(table: IntervalTable) -> float:
    """Return where the scale of all intervals begins: at 0.5, or the tenth below the lowest end."""
    ends = [
        end
        for row in table.rows
        for cell in row.cells
        if isinstance(cell, Interval)
        for end in (cell.value, cell.low)
        if not math.isnan(end)
    ]
    return max(0.0, math.floor(min([0.5, *ends]) * 10) / 10)


def _row(row: IntervalRow, header: tuple[str, ...], least: float) -> str:
    cells = "".join(_cell(cell, name, least) for name, cell in zip(header, row.cells, strict=True))
    name = f'<th scope="row" role="rowheader">{escape(row.name)}</th>'
    return f'<tr role="row" class="series{row.series % SERIES}">{name}{cells}</tr>'


def _cell(cell: Interval | str, name: str, least: float) -> str:
    label = f'role="cell" data-label="{escape(name)}"'
    if isinstance(cell, str):
        return f"<td {label}>{escape(cell)}</td>"
    value, bracket, ends = cell.text.partition(" (")
    numbers = f"<b>{escape(value)}</b>"
    if bracket:
        numbers += f' <span class="interval">({escape(ends)}</span>'
    return (
        f'<td class="plot" {label}><span class="drawn">{_drawing(cell, least)}'
        f'<span class="numbers">{numbers}</span></span></td>'
    )


def _drawing(cell: Interval, least: float) -> str:
    """Return the scale with its tenths, the interval and a dot at the value."""

    def at(value: float) -> str:
        return f"{100 * (value - least) / (1 - least):.2f}%"

    middle = HEIGHT // 2
    tenths = range(round(10 * least), 11)
    shapes = [
        f'<line class="tenth" x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}"/>'
        for x in (at(tenth / 10) for tenth in tenths)
    ]
    if not math.isnan(cell.low):
        ends = f'x1="{at(cell.low)}" x2="{at(cell.high)}"'
        shapes.append(f'<line class="range" {ends} y1="{middle}" y2="{middle}"/>')
    if not math.isnan(cell.value):
        shapes.append(f'<circle cx="{at(cell.value)}" cy="{middle}" r="4.5"/>')
    return f'<svg aria-hidden="true" width="100%" height="{HEIGHT}">{"".join(shapes)}</svg>'


def _class(plot: bool) -> str:
    return ' class="plot"' if plot else ""
