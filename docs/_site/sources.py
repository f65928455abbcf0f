"""Pages of the files outside this folder that the documents link to.

`../configs/x.yaml` is a link to a file where a repository is browsed. In the site it leads to a
page with that file's text, or with the names in a folder, so that the site is complete by itself.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.highlighting import PygmentsBridge

LINK = re.compile(r"\]\(((?:\.\./)+[\w./-]*)\)")
# What no server has: between the text and the tree of a document it marks such a link.
MARK = "https://outside.invalid/"
FOLDER = "source"
LEXERS = {".py": "python", ".yaml": "yaml", ".md": "markdown", ".sh": "bash", ".toml": "toml"}


def outside(name: str, target: str, pages: Path) -> str | None:
    """Return the path in the project of a link of page `name`, if it leaves the folder of pages.

    Raises FileNotFoundError where nothing is there.
    """
    path = (pages / name).parent.joinpath(target).resolve(strict=True)
    return None if path.is_relative_to(pages) else path.relative_to(pages.parent).as_posix()


def _mark(app: Any, name: str, content: list[str]) -> None:
    pages, found = Path(app.srcdir).resolve(), set()

    def mark(link: re.Match[str]) -> str:
        path = outside(name, link[1], pages)
        if path is None:
            return link[0]
        found.add(path)
        return f"]({MARK}{path})"

    content[0] = LINK.sub(mark, content[0])
    _links(app.env)[name] = found


def _point(app: Any, tree: nodes.document) -> None:
    for link in tree.findall(nodes.reference):
        if link.get("refuri", "").startswith(MARK):
            page = f"{FOLDER}/{link['refuri'].removeprefix(MARK)}"
            link["refuri"] = app.builder.get_relative_uri(app.env.docname, page)
            link["internal"] = True


def _links(env: Any) -> dict[str, set[str]]:
    if not hasattr(env, "elbow_sources"):
        env.elbow_sources = {}
    return env.elbow_sources


def _forget(app: Any, env: Any, name: str) -> None:
    _links(env).pop(name, None)


def _pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    root = Path(app.srcdir).resolve().parent
    bridge = PygmentsBridge("html", app.config.pygments_style)
    for name in sorted(set().union(*_links(app.env).values())):
        path = root / name
        if path.is_dir():
            rows = "".join(f"<li>{html.escape(inner)}</li>" for inner in _names(path))
            body = f"<ul>{rows}</ul>"
        else:
            lexer = LEXERS.get(path.suffix, "none")
            body = bridge.highlight_block(path.read_text(encoding="utf-8"), lexer)
        title = html.escape(name)
        yield f"{FOLDER}/{name}", {"title": title, "body": f"<h1>{title}</h1>{body}"}, "page.html"


def _names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    shown = [path for path in files if "__pycache__" not in path.parts]
    return sorted(path.relative_to(folder).as_posix() for path in shown)


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", _mark)
    app.connect("doctree-read", _point)
    app.connect("env-purge-doc", _forget)
    app.connect("html-collect-pages", _pages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
