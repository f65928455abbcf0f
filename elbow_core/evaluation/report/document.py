"""A report as blocks, written once and rendered as Markdown and as HTML."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's title; level 2 is a section of the report, 3 a part of one."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the rows; the columns ``words`` hold no numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of the report's folder; ``alt`` says in words what it shows."""

    path: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Small pictures side by side."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of points."""

    items: tuple[str, ...]


Block = Heading | Paragraph | Table | Picture | Gallery | Items
