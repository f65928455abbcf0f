"""A document as blocks, rendered as Markdown and as HTML."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title; level 2 is a section, level 3 a subsection."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text; ``lead`` makes it the sentence that a reader should take away."""

    text: str
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the rows; ``text_columns`` hold text, the others numbers.

    A ``folded`` one shows its caption on a screen until it is opened; on paper it is open.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: tuple[int, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A share from 0 to 1 with its interval, as numbers and as text; undefined numbers are nan."""

    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One row of an `IntervalTable`; ``series`` is the number of its line in the figures."""

    name: str
    cells: tuple[Interval | str, ...]
    series: int


@dataclass(frozen=True, slots=True)
class IntervalTable:
    """A table whose intervals are drawn on one scale, with their numbers beside them."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[IntervalRow, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or SVG file in the document's folder; ``alt`` describes it in words.

    Those ``beside`` it share its caption.
    """

    path: str
    alt: str
    caption: str
    beside: tuple["Picture", ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small pictures side by side."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class FigureGrid:
    """Figures side by side, as many as fit; more of them if they are ``small``."""

    pictures: tuple[Picture, ...]
    small: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted list."""

    items: tuple[str, ...]


Block = Heading | Paragraph | Table | IntervalTable | Picture | Gallery | FigureGrid | Items
