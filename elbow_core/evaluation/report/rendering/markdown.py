"""Blocks rendered as Markdown."""

import re
from collections.abc import Sequence

from elbow_core.evaluation.report.rendering.document import (
    Block,
    Gallery,
    Heading,
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
        case Paragraph(text):
            return escape(text)
        case Items(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Picture(path, alt, caption):
            return f"![{escape(alt)}]({path})\n\n*{escape(caption)}*"
        case Gallery(pictures):
            return "\n".join(
                f"- ![{escape(picture.alt)}]({picture.path}) {escape(picture.caption)}"
                for picture in pictures
            )
        case Table(caption, header, rows, text_columns):
            columns = range(len(header))
            lines = [
                _row(header),
                "|" + "|".join("---" if c in (0, *text_columns) else "---:" for c in columns) + "|",
                *map(_row, rows),
            ]
            return f"**{escape(caption)}**\n\n" + "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape, cells)) + " |"
