"""The sections of a report of localisation: their order, tables and text."""

import math
from collections.abc import Iterable, Mapping, Sequence

from elbow_core.evaluation.localisation.comparison import Facts
from elbow_core.evaluation.localisation.content import (
    Estimate,
    PairedDifference,
    SetSummary,
    froc_measure,
)
from elbow_core.evaluation.localisation.judging import AGREEMENT
from elbow_core.evaluation.localisation.subgroups import FEWEST, SubgroupSummary
from elbow_core.evaluation.report.rendering import (
    Block,
    Gallery,
    Heading,
    Items,
    Paragraph,
    Picture,
    Table,
)
from elbow_core.evaluation.statistics import FROC_RATES

NAMES = {
    "pointing": "Pointing game",
    "pointing_tolerant": "with tolerance",
    "energy": "Energy inside",
    "iou": "IoU at equal area",
    "froc_mean": "Mean FROC sensitivity",
    "froc_area": "FROC area",
}
METHODS = (
    "Pointing game (Zhang et al. 2016): the share of images whose map has its maximum in a box. "
    "The tolerance is 3 % of the image's long side, the 15 pixels of that paper on photographs of "
    "500 pixels. Of several maxima, the share in a box counts.",
    "Energy inside: the share of the sum of a map that lies in the union of the boxes, mean over "
    "images.",
    "IoU at equal area: intersection over union of the boxes and the highest part of the map of "
    "the same area, mean over images.",
    "FROC: marks are the local maxima of a map, at most 32, no two within 5 % of the image's long "
    "side. A box is found by a mark in it. Sensitivity is the share of boxes found; false marks "
    "lie in no box. The rate is over all images that count, normal ones too. Nothing is "
    "interpolated. The mean is over the seven rates; the area is the mean over all rates from 0 to "
    "8.",
    "The centre prior is the mean of the masks of the training boxes, one map for all images. "
    "Random weights are the same method on an untrained network (Adebayo et al. 2018).",
    "Intervals are 95 %, of the BCa bootstrap over patients (Efron 1987), widened for few patients "
    "(Hesterberg 2015); a share of images or boxes that is 0 or 1 has Wilson's (1927) on their "
    "effective number (Rao and Scott 1992). Differences are on the same images and the same "
    "draws. Nothing is adjusted for the number of comparisons. Bands are pointwise.",
)


def report_blocks(
    facts: Facts,
    summaries: Mapping[str, SetSummary],
    *,
    differences: Sequence[PairedDifference],
    subgroups: Sequence[SubgroupSummary],
    picture: Picture,
    galleries: Mapping[str, Gallery],
) -> list[Block]:
    """Return the blocks of a whole report; galleries by the label of their set."""
    return [
        *map(Paragraph, verdicts(differences)),
        *map(Paragraph, _opening(facts)),
        Heading(2, "Agreement with the boxes"),
        _table(
            summaries,
            {name: NAMES[name] for name in AGREEMENT},
            f"{facts.located} injured images with a box",
        ),
        Paragraph(
            f"The boxes cover {facts.boxes_share:.1%} of an image on average: a map without "
            "contrast scores this in the pointing game without tolerance and in energy."
        ),
        Heading(2, "Marks"),
        _table(
            summaries,
            {froc_measure(rate): f"{rate:g}" for rate in FROC_RATES},
            "Sensitivity by false marks per image",
        ),
        _table(
            summaries,
            {name: NAMES[name] for name in ("froc_mean", "froc_area")},
            "Summaries of the FROC curve",
        ),
        picture,
        *_notes(summaries),
        Heading(2, "Differences"),
        _differences(differences),
        *_missing(
            (f"{row.first} - {row.second}", row.measure, row.difference) for row in differences
        ),
        *subgroup_blocks(subgroups),
        Heading(2, "Worst failures"),
        Paragraph(
            "Images whose map has no maximum in a box, even with tolerance, from the least energy "
            "inside on. Boxes are white, the cross is the map's maximum; each map is scaled to "
            "its own."
        ),
        *_galleries(galleries),
        Heading(2, "Methods"),
        Items(METHODS),
    ]


def subgroup_blocks(subgroups: Sequence[SubgroupSummary]) -> list[Block]:
    """Return a table for each attribute, and a line on subgroups that are too small."""
    if not subgroups:
        return []
    blocks: list[Block] = [
        Heading(2, "By size and body part"),
        Paragraph(
            "Sizes are the shares of the image that its boxes cover, divided at their thirds. "
            "Without contrast a map scores this share in the first and third column."
        ),
    ]
    small = dict.fromkeys(f"{row.name} ({row.images})" for row in subgroups if not row.estimates)
    for attribute in dict.fromkeys(row.attribute for row in subgroups):
        rows = tuple(
            (row.name, row.label, str(row.images), *map(_with_interval, row.estimates.values()))
            for row in subgroups
            if row.attribute == attribute and row.estimates
        )
        if rows:
            columns = ("Images with", "Maps", "n", *(NAMES[name] for name in AGREEMENT))
            caption = f"{attribute.capitalize()}: agreement with the boxes"
            blocks.append(Table(caption, columns, rows, text_columns=(1,)))
    if small:
        blocks.append(
            Paragraph(f"Not judged, with fewer than {FEWEST} images: {', '.join(small)}.")
        )
    return blocks


def beats(difference: Estimate) -> bool:
    """Say whether a difference's whole interval is above 0; it is not without an interval."""
    return difference.low > 0


def verdicts(differences: Sequence[PairedDifference]) -> list[str]:
    """Return a sentence for each pair: the measures in which the first is above the second."""
    pairs = dict.fromkeys((row.first, row.second) for row in differences)
    sentences = []
    for first, second in pairs:
        rows = [row for row in differences if (row.first, row.second) == (first, second)]
        better = [_full_name(row.measure) for row in rows if beats(row.difference)]
        worse = [_full_name(row.measure) for row in rows if row.difference.high < 0]
        unknown = [_full_name(row.measure) for row in rows if _is_unknown(row.difference)]
        undecided = len(rows) - len(better) - len(worse) - len(unknown)
        found = [f"above in {_listed(better)}"] if better else []
        found += [f"below in {_listed(worse)}"] if worse else []
        found += [f"no difference shown in {undecided} of {len(rows)} measures"] * bool(undecided)
        found += [f"no interval in {_listed(unknown)}"] if unknown else []
        sentences.append(f"{first}, against {second}: {'; '.join(found)}.")
    return sentences


def _is_unknown(difference: Estimate) -> bool:
    """Say whether a difference has no interval and is not 0, as where every draw gives the same."""
    return math.isnan(difference.low) and difference.value != 0


def _full_name(measure: str) -> str:
    """Return the name of a measure within a sentence."""
    return {
        "pointing": "pointing game",
        "pointing_tolerant": "pointing game with tolerance",
        "energy": "energy inside",
        "iou": "IoU at equal area",
        "froc_mean": "mean FROC sensitivity",
        "froc_area": "FROC area",
    }.get(measure, measure.replace("froc_", "sensitivity at "))


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _opening(facts: Facts) -> list[str]:
    counts = (
        f"{facts.located} injured images with {facts.boxes} boxes and {facts.normal} normal images "
        f"of {facts.patients} patients. The centre prior is of {facts.prior_boxes} boxes of "
        f"{facts.prior_images} training images. Intervals are 95 %, from {facts.draws} bootstrap "
        f"draws (seed {facts.seed})."
    )
    notes = [counts]
    if facts.unlocated:
        notes.append(
            f"Left out: {facts.unlocated} injured images without a box; a mark on one may be right."
        )
    if facts.contradictory:
        notes.append(
            f"Left out: {facts.contradictory} images that are labelled normal and have a box."
        )
    if not facts.normal:
        notes.append("No normal image has a map: false marks are counted on injured images alone.")
    if facts.unknown_patients:
        notes.append(
            f"{facts.unknown_patients} images name no patient; each of them counts as a patient of "
            "its own."
        )
    return notes


def _notes(summaries: Mapping[str, SetSummary]) -> list[Block]:
    marks = ", ".join(f"{label} {found.marks_per_image:.1f}" for label, found in summaries.items())
    notes = [f"Marks per image: {marks}."]
    for label, found in summaries.items():
        if found.flat:
            notes.append(f"{label}: {found.flat} maps have no contrast, and so no mark.")
        if found.equal_maxima:
            notes.append(
                f"{label}: all maps have the same maximum. Where each map was scaled to its own, "
                "their marks cannot be compared between images, and the FROC curve says little."
            )
    estimates = (
        (label, name, estimate)
        for label, found in summaries.items()
        for name, estimate in found.estimates.items()
    )
    return [Items(tuple(notes)), *_missing(estimates)]


def _missing(estimates: Iterable[tuple[str, str, Estimate]]) -> list[Block]:
    """Return the reasons of missing intervals; an estimate has a label and a measure."""
    missing = [
        f"{label}, {_full_name(name)}: {estimate.reason}."
        for label, name, estimate in estimates
        if estimate.reason
    ]
    if not missing:
        return []
    return [Paragraph("Intervals that are not shown, and why:"), Items(tuple(missing))]


def _table(summaries: Mapping[str, SetSummary], columns: Mapping[str, str], caption: str) -> Table:
    rows = tuple(
        (label, *(_with_interval(found.estimates[name]) for name in columns))
        for label, found in summaries.items()
    )
    return Table(caption, ("Maps", *columns.values()), rows)


def _differences(differences: Sequence[PairedDifference]) -> Table:
    rows = tuple(
        (f"{row.first} - {row.second}", _full_name(row.measure), _with_interval(row.difference))
        for row in differences
    )
    return Table(
        "First maps minus second, on the same images",
        ("Maps", "Measure", "Difference"),
        rows,
        text_columns=(1,),
    )


def _galleries(galleries: Mapping[str, Gallery]) -> list[Block]:
    blocks: list[Block] = []
    for label, gallery in galleries.items():
        blocks.append(Heading(3, label))
        blocks.append(gallery if gallery.pictures else Paragraph("None."))
    return blocks


def _with_interval(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "–"
    # Adding 0 makes a rounded -0 plain.
    value, low, high = (
        f"{round(number, 3) + 0:.3f}" for number in (estimate.value, estimate.low, estimate.high)
    )
    return value if math.isnan(estimate.low) else f"{value} ({low} to {high})"
