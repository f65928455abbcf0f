"""Blocks rendered as one HTML page that runs no script and loads nothing from elsewhere."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from elbow_core.evaluation.pages import embed_png, embed_svg, render_page
from elbow_core.evaluation.report.rendering.document import (
    Block,
    FigureGrid,
    Gallery,
    Heading,
    IntervalTable,
    Items,
    Paragraph,
    Picture,
    Table,
)
from elbow_core.evaluation.report.rendering.intervals import interval_table

_STYLE = Path(__file__).with_name("page.css")

# A radiograph or figure in PNG has 300 dots per inch, an SVG 72 points; a screen shows about 110.
_SCREEN = 110
_PNG_SCALE, _SVG_SCALE = _SCREEN / 300, _SCREEN / 72


def render_html(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """Return the document as one HTML page; its pictures, read from ``folder``, are embedded.

    What precedes the first section is the first screen; the contents follow it.
    """
    sections = {
        place: block.text
        for place, block in enumerate(blocks)
        if isinstance(block, Heading) and block.level == 2
    }
    numbers = {place: number for number, place in enumerate(sections)}
    begin = min(sections, default=len(blocks))
    body = [
        _render(block, folder, f"s{numbers[place]}" if place in numbers else "")
        for place, block in enumerate(blocks)
    ]
    links = "\n".join(
        f'<li><a href="#s{number}">{escape(sections[place])}</a></li>'
        for place, number in numbers.items()
    )
    first, rest = "\n".join(body[:begin]), "\n".join(body[begin:])
    page = f"""<header><h1>{escape(title)}</h1></header>
<main>
<div class="first">
{first}
</div>
<nav aria-label="Contents">
<a class="skip" href="#sections">Skip the contents</a>
<ul>
{links}
</ul>
</nav>
<div id="sections">
{rest}
</div>
</main>"""
    return render_page(title, page, _STYLE.read_text(encoding="utf-8"))


def _render(block: Block, folder: Path, name: str) -> str:
    match block:
        case Heading(level, text):
            attribute = f' id="{name}"' if name else ""
            return f"<h{level}{attribute}>{escape(text)}</h{level}>"
        case Paragraph(text, lead):
            kind = ' class="lead"' if lead else ""
            return f"<p{kind}>{escape(text)}</p>"
        case Items(items):
            return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Picture():
            return _figure(block, folder)
        case FigureGrid(pictures, small):
            return _list("figures small" if small else "figures", pictures, folder)
        case Gallery(pictures):
            pairs = any(picture.beside for picture in pictures)
            return _list("gallery pairs" if pairs else "gallery", pictures, folder)
        case IntervalTable():
            return interval_table(block)
        case Table():
            return _table(block)


def _list(kind: str, pictures: Sequence[Picture], folder: Path) -> str:
    shown = "\n".join(f"<li>{_figure(picture, folder)}</li>" for picture in pictures)
    return f'<ul class="{kind}">\n{shown}\n</ul>'


def _figure(picture: Picture, folder: Path) -> str:
    images = "".join(_image(one, folder) for one in (picture, *picture.beside))
    if picture.beside:
        images = f'<div class="pair">{images}</div>'
    return f"<figure>{images}<figcaption>{escape(picture.caption)}</figcaption></figure>"


def _image(picture: Picture, folder: Path) -> str:
    content = (folder / picture.path).read_bytes()
    if picture.path.endswith(".svg"):
        return embed_svg(content, picture.alt, _SVG_SCALE)
    return embed_png(content, picture.alt, _PNG_SCALE)


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
    caption = escape(table.caption)
    # A wide table scrolls within its own box; tabindex makes that possible by keyboard.
    shown = (
        f'<div class="table" tabindex="0" role="region" aria-label="{caption}">'
        f"<table>\n<caption>{caption}</caption>\n"
        f"<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )
    if not table.folded:
        return shown
    rows_shown = "1 row" if len(table.rows) == 1 else f"{len(table.rows)} rows"
    count = f'<span class="count">({rows_shown})</span>'
    return f"<details><summary>{caption} {count}</summary>\n{shown}</details>"


def _cell(text: str, kind: str) -> str:
    # The interval goes on a line below its value, so that a table fits a page.
    value, bracket, ends = text.partition(" (")
    if kind or not bracket:
        return f"<td{kind}>{escape(text)}</td>"
    return f'<td>{escape(value)}<br><span class="interval">({escape(ends)}</span></td>'
