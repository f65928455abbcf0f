"""A document as blocks, rendered as Markdown and as HTML."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title; level 2 is a section, level 3 a subsection."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the rows; ``text_columns`` hold text, the others numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file in the document's folder; ``alt`` describes it in words."""

    path: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small pictures side by side."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A bulleted list."""

    items: tuple[str, ...]


Block = Heading | Paragraph | Table | Picture | Gallery | Items
