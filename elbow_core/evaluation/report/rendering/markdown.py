"""Blocks rendered as Markdown."""

import re
from collections.abc import Sequence

from elbow_core.evaluation.report.rendering.document import (
    Block,
    FigureGrid,
    Gallery,
    Heading,
    Interval,
    IntervalTable,
    Items,
    Paragraph,
    Picture,
    Table,
)

# Characters that Markdown, or HTML within it, interprets as markup.
MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")


def render_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Return the document as Markdown that ends with a newline."""
    return "\n\n".join([f"# {escape(title)}", *map(_render, blocks)]) + "\n"


def escape(text: str) -> str:
    """Escape markup, and join the lines to one."""
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def _render(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escape(text)}"
        case Paragraph(text, lead):
            return f"**{escape(text)}**" if lead else escape(text)
        case Items(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Picture(_, _, caption):
            return f"{_images(block)}\n\n*{escape(caption)}*"
        case FigureGrid(pictures):
            return "\n\n".join(map(_render, pictures))
        case Gallery(pictures):
            return "\n".join(
                f"- {_images(picture)} {escape(picture.caption)}" for picture in pictures
            )
        case IntervalTable(caption, header, rows):
            cells = [(row.name, *map(_text, row.cells)) for row in rows]
            return _table(Table(caption, header, tuple(cells)))
        case Table():
            return _table(block)


def _images(picture: Picture) -> str:
    shown = (picture, *picture.beside)
    return " ".join(f"![{escape(one.alt)}]({one.path})" for one in shown)


def _text(cell: Interval | str) -> str:
    return cell.text if isinstance(cell, Interval) else cell


def _table(table: Table) -> str:
    columns = range(len(table.header))
    lines = [
        _row(table.header),
        "|" + "|".join("---" if c in (0, *table.text_columns) else "---:" for c in columns) + "|",
        *map(_row, table.rows),
    ]
    return f"**{escape(table.caption)}**\n\n" + "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape, cells)) + " |"
