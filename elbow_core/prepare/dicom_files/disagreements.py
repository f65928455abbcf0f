"""Where tags and source contradict each other: ``disagreements.csv``."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elbow_core.tables import write_csv_table

DISAGREEMENTS = "disagreements.csv"
COLUMNS = ("image_id", "field", "source", "tag", "used")
_IDENTIFYING = ("patient", "study", "patients of one study")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One contradiction of one image; ``used`` says which side counts."""

    path: str
    field: str
    source: str
    tag: str
    used: str


def conflicting(first: Sequence[str], second: Sequence[str], *, finer: bool = False) -> list[int]:
    """Return the positions at which two groupings of the same images contradict each other.

    Names do not matter: two groupings agree where each group of one is a group of the other. With
    ``finer`` the second may also divide the groups of the first: file names often tell no studies
    apart. An image whose two groups have one name is never listed. Empty names are no groups.
    """
    seconds: dict[str, set[str]] = defaultdict(set)
    firsts: dict[str, set[str]] = defaultdict(set)
    pairs = list(zip(first, second, strict=True))
    for one, other in pairs:
        if one and other:
            seconds[one].add(other)
            firsts[other].add(one)
    return [
        position
        for position, (one, other) in enumerate(pairs)
        if one and other and one != other
        if len(firsts[other]) > 1 or (len(seconds[one]) > 1 and not finer)
    ]


def describe_disagreements(disagreements: Sequence[Disagreement]) -> str:
    """Return how many there are of each field: ``patient 3, view 12``."""
    counts = Counter(entry.field for entry in disagreements)
    return ", ".join(f"{field} {number}" for field, number in counts.items())


def write_disagreements(
    path: Path,
    disagreements: Iterable[Disagreement],
    ids: Mapping[str, str],
    hide: Callable[[Literal["patient", "study"], str], str] | None,
) -> None:
    """Write the disagreements of the images in ``ids`` as CSV, sorted.

    ``ids`` gives each image's id by its path. ``hide``, of the kind of an id and the id, replaces
    what identifies; None leaves it.
    """

    def shown(field: str, value: str) -> str:
        if hide is None or field not in _IDENTIFYING:
            return value
        return hide("study" if field == "study" else "patient", value)

    rows = [
        (
            ids[one.path],
            one.field,
            shown(one.field, one.source),
            shown(one.field, one.tag),
            one.used,
        )
        for one in disagreements
        if one.path in ids
    ]
    write_csv_table(path, COLUMNS, sorted(rows))
