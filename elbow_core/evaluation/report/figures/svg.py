"""Figures as SVG files: for print as they are, and on a dark page in colours that it can show."""

import io
import re
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from elbow_core.evaluation.report.figures.style import COLOURS, GREY, SETTINGS

# Text is drawn as paths, so that it looks the same without the font. Ids are digests with this
# salt, so equal figures give equal bytes.
_SVG_SETTINGS = {**SETTINGS, "svg.fonttype": "path", "svg.hashsalt": "elbow"}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))

_BACKGROUND, _INK = "#16191d", "#e8eaed"
_ON_DARK = {
    "#ffffff": _BACKGROUND,
    "#000000": _INK,
    GREY: "#9aa0a6",
    str(SETTINGS["grid.color"]): "#30353b",
    **dict(
        zip(
            COLOURS[:6],
            ("#4d9fe0", "#ff8f40", "#2fc795", "#e39bc4", "#9fd8ff", "#ffc04d"),
            strict=True,
        )
    ),
}
"""The colours of a figure on a dark page, by those on paper."""

_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)
_OUTLINE = re.compile(r'(?<= d=")[^"]+')
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")


def save_svg(figure: Figure, path: Path) -> None:
    """Write an SVG without metadata and without the text of labels; equal figures, equal bytes.

    Its colours change where the page that shows it, or the reader's system, is dark; on paper and
    in programs that know no media queries they do not.
    """
    with matplotlib.rc_context(_SVG_SETTINGS), io.StringIO() as drawn:
        figure.savefig(drawn, format="svg", metadata=_NO_METADATA)
        text = drawn.getvalue()
    # matplotlib repeats every label in a comment, where a name's control characters are no XML.
    text = _COMMENT.sub("", text)
    text = _OUTLINE.sub(lambda outline: _DECIMALS.sub(_hundredths, outline[0]), text)
    text = text.replace("</style>", f"{_dark_style()}</style>", 1)
    path.write_text(text, encoding="utf-8", newline="\n")


def _hundredths(number: re.Match[str]) -> str:
    """Return a length with two decimals, a hundredth of a point."""
    return f"{float(number[0]):.2f}"


def _dark_style() -> str:
    """Return rules that replace colours; those of matplotlib are attributes of each shape."""
    rules = [f"svg{{fill:{_INK}}}"]
    for colour, dark in _ON_DARK.items():
        for kind in ("fill", "stroke"):
            selected = f'[style*="{kind}: {colour.lower()}"]'
            rules.append(f"{selected}{{{kind}:{dark} !important}}")
        rules.append(f'[fill="{colour.lower()}"]{{fill:{dark}}}')
    return f"\n@media screen and (prefers-color-scheme: dark) {{{''.join(rules)}}}"
