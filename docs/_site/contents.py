"""Tables of contents from the links of a page, so that a page is listed once.

`index.md` has a heading for each part of the site and a link to each of its pages. Where a
repository is browsed these are ordinary links; here each part also becomes a toctree, in their
order. The same goes for a page whose subpages are the rows of a table (`NESTED`).
"""

import re
from typing import Any

START = "index"
NESTED = {"decisions/README"}
PART = re.compile(r"^## +(.+)$", re.MULTILINE)
PAGE = re.compile(r"\]\((?!\.\./|[a-z]+:|#)([\w./-]+)\.md\)")


def parts(text: str) -> dict[str, list[str]]:
    """Return the pages below each heading of the second level, without their suffix."""
    pieces = PART.split(text)[1:]
    return {
        name: list(dict.fromkeys(PAGE.findall(links)))
        for name, links in zip(pieces[::2], pieces[1::2], strict=True)
    }


def pages(text: str) -> list[str]:
    """Return the pages of a folder that a text links to, without their suffix."""
    return list(dict.fromkeys(PAGE.findall(text)))


def toctree(names: list[str], caption: str | None = None) -> str:
    """Return a hidden toctree in MyST."""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "", "```{toctree}", *options, "", *names, "```", ""])


def _add(app: Any, name: str, content: list[str]) -> None:
    if name == START:
        content[0] += "".join(toctree(links, part) for part, links in parts(content[0]).items())
    elif name in NESTED:
        content[0] += toctree(pages(content[0]))


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
