"""Blocks rendered as one HTML page that runs no script and loads nothing from elsewhere."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from elbow_core.evaluation.pages import embed_png, render_page
from elbow_core.evaluation.report.rendering.document import (
    Block,
    Gallery,
    Heading,
    Items,
    Paragraph,
    Picture,
    Table,
)

_STYLE = """
nav ul { columns: 14rem; padding-left: 1.2rem; }
.table { overflow-x: auto; margin: 1rem 0; }
.table:focus { outline: 2px solid #004f87; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right;
  vertical-align: top; white-space: nowrap; }
thead th { border-bottom: 2px solid #555; }
th:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
tbody th { white-space: normal; min-width: 6rem; max-width: 38vw; overflow-wrap: anywhere; }
.interval { font-size: .85em; color: #444; }
th.text, td.text { text-align: left; }
td.text { white-space: normal; min-width: 6.5rem; }
.gallery { display: grid; gap: 1rem; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
.gallery figure { margin: 0; }
.gallery img { width: 100%; background: #000; }
.gallery figcaption { overflow-wrap: anywhere; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: #fff; }
@media print {
  nav, .skip { display: none; }
  .table { overflow: visible; }
  figure, tr { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
}
"""

# Pictures have 300 dots per inch, for print; a screen shows about 110.
SCALE = 110 / 300


def render_html(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """Return the document as one HTML page; its pictures, read from ``folder``, are embedded."""
    headings = [block for block in blocks if isinstance(block, Heading) and block.level == 2]
    contents = "\n".join(
        f'<li><a href="#s{number}">{escape(heading.text)}</a></li>'
        for number, heading in enumerate(headings)
    )
    body = "\n".join(_render(block, headings, folder) for block in blocks)
    page = f"""<a class="skip" href="#main">Skip to the report</a>
<header><h1>{escape(title)}</h1></header>
<nav aria-label="Contents">
<ul>
{contents}
</ul>
</nav>
<main id="main">
{body}
</main>"""
    return render_page(title, page, _STYLE)


def _render(block: Block, headings: Sequence[Heading], folder: Path) -> str:
    match block:
        case Heading(2, text):
            return f'<h2 id="s{headings.index(block)}">{escape(text)}</h2>'
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Items(items):
            return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Picture():
            return _figure(block, folder)
        case Gallery(pictures):
            shown = "\n".join(f"<li>{_figure(picture, folder)}</li>" for picture in pictures)
            return f'<ul class="gallery">\n{shown}\n</ul>'
        case Table():
            return _table(block)


def _figure(picture: Picture, folder: Path) -> str:
    picture_tag = embed_png((folder / picture.path).read_bytes(), picture.alt, SCALE)
    return f"<figure>{picture_tag}<figcaption>{escape(picture.caption)}</figcaption></figure>"


def _table(table: Table) -> str:
    kinds = [
        ' class="text"' if column in table.text_columns else ""
        for column in range(len(table.header))
    ]
    header = "".join(
        f'<th scope="col"{kind}>{escape(cell)}</th>'
        for kind, cell in zip(kinds, table.header, strict=True)
    )
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(_cell(cell, kind) for kind, cell in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in table.rows
    )
    # A wide table scrolls within its own box; tabindex makes that possible by keyboard.
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(table.caption)}">'
        f"<table>\n<caption>{escape(table.caption)}</caption>\n"
        f"<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cell(text: str, kind: str) -> str:
    # The interval goes on a line below its value, so that a table fits a page.
    value, bracket, ends = text.partition(" (")
    if kind or not bracket:
        return f"<td{kind}>{escape(text)}</td>"
    return f'<td>{escape(value)}<br><span class="interval">({escape(ends)}</span></td>'
