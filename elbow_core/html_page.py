"""One self-contained HTML page: its head, the style that pages share, embedded pictures.

A page loads nothing from elsewhere: its policy admits embedded pictures and, by their digests, the
one style and the one script in it.

Reference: W3C, Content Security Policy Level 3.
"""

import base64
import hashlib
import re
import struct
from html import escape

STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --paper: #fff; --quiet: #444; --line: #bbb;
  --faint: #ddd; --link: #004f87; }
body { max-width: 62rem; margin: 0 auto; padding: 0 1rem 3rem; color: var(--ink);
  background: var(--paper);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .5rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
a { color: var(--link); }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; color: var(--quiet); max-width: 45rem; }
"""


def render_page(title: str, body: str, style: str = "", script: str = "") -> str:
    """Return a page; ``body`` is HTML, ``style`` follows `STYLE`, ``script`` is a module.

    Raises `ValueError` for a style or a script that would end its own element.
    """
    style = STYLE + style
    for text in (style, script):
        if "</" in text:
            raise ValueError("a style or a script must not contain '</'")
    policy = [
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "img-src data:",
        f"style-src '{_digest(style)}'",
        *([f"script-src '{_digest(script)}'"] if script else []),
    ]
    module = f'<script type="module">{script}</script>\n' if script else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="{"; ".join(policy)}">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
{module}</body>
</html>
"""


def embed_png(png: bytes, alt: str, scale: float = 1.0) -> str:
    """Return an ``img`` that contains a PNG, ``scale`` CSS pixels wide for each of its own.

    The size, from the header of the PNG, reserves the space before the picture is decoded.
    """
    width, height = (round(side * scale) for side in struct.unpack(">II", png[16:24]))
    return _image("png", png, alt, width, height)


def embed_svg(svg: bytes, alt: str, scale: float = 1.0) -> str:
    """Return an ``img`` that contains an SVG, ``scale`` CSS pixels wide for each point of its own.

    As an image it runs no script and loads nothing. Raises `ValueError` for an SVG whose root does
    not give its width and height in points.
    """
    root = svg.partition(b"<svg")[2].partition(b">")[0].decode("ascii")
    sides = [re.search(rf'\b{side}="([0-9.]+)pt"', root) for side in ("width", "height")]
    if None in sides:
        raise ValueError("an SVG must give its width and height in points")
    width, height = (round(float(side[1]) * scale) for side in sides if side)
    return _image("svg+xml", svg, alt, width, height)


def _image(kind: str, content: bytes, alt: str, width: int, height: int) -> str:
    data = base64.b64encode(content).decode("ascii")
    return (
        f'<img src="data:image/{kind};base64,{data}" alt="{escape(alt)}" '
        f'width="{width}" height="{height}">'
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
