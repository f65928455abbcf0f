"""Writing of a report on any number of sets of heat maps of the same images."""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import PreparedData, open_prepared, read_regions
from elbow_core.errors import HeatMapError
from elbow_core.evaluation.localisation.boxes import union_area
from elbow_core.evaluation.localisation.cases import Case, case_of, cases_of
from elbow_core.evaluation.localisation.centre_prior import LABEL, CentrePrior, fit_centre_prior
from elbow_core.evaluation.localisation.content import (
    content_json,
    is_localisation_json,
    summarise,
)
from elbow_core.evaluation.localisation.figures import (
    FOLDER,
    draw_failures,
    draw_froc,
    worst_failures,
)
from elbow_core.evaluation.localisation.judging import AGREEMENT, Judged, judge_maps, judge_prior
from elbow_core.evaluation.localisation.map_files import HeatMaps, open_maps
from elbow_core.evaluation.localisation.sections import Facts, report_blocks
from elbow_core.evaluation.report import ReportKind, report_folder
from elbow_core.evaluation.report.rendering import render_html, render_markdown
from elbow_core.evaluation.statistics import DRAWS
from elbow_core.identity import normalise_id
from elbow_core.printable import plain_text
from elbow_core.tables import write_csv_table

OF_MAPS = ReportKind(
    "localisation.json",
    is_localisation_json,
    re.compile(r"report\.(?:md|html)|images\.csv"),
    re.compile(r"(?:froc|failure_\d+_\d+)\.png"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalisationSettings:
    """Title, and the draws and seed of the bootstrap."""

    title: str = ""
    draws: int = DRAWS
    seed: int = 0


DEFAULT_SETTINGS = LocalisationSettings()


def write_localisation(
    directories: Sequence[Path],
    data: Path,
    out: Path,
    settings: LocalisationSettings = DEFAULT_SETTINGS,
) -> dict[str, Any]:
    """Judge sets of maps on the boxes of prepared data; return the content of localisation.json.

    The maps are read one at a time. An earlier report of this kind in ``out`` is replaced when the
    new one is complete.

    Raises:
        HeatMapError: for maps that violate their format or do not belong together: two sets with
            one method, network and kind of weights; different images; random weights without the
            trained ones. Also for images that the prepared data lack or use for training, and where
            no image or no training image has a box.
        PredictionsError: if ``out`` holds other files or cannot be written.
        UserError: for damaged prepared data.
    """
    with report_folder(out, OF_MAPS) as folder:
        sets = [open_maps(directory) for directory in directories]
        pairs = pairs_to_compare(sets)
        prepared = open_prepared(data)
        regions = read_regions(prepared.directory, prepared.rows)
        cases = cases_of(sets, prepared.rows, regions)
        prior = fit_centre_prior(
            case_of(row, regions.get(row.image_id, ()))
            for row in prepared.rows
            if row.split == "train"
        )
        judged = [*(judge_maps(maps, cases) for maps in sets), judge_prior(prior, cases)]
        summaries, differences = summarise(judged, pairs, settings.draws, settings.seed)

        facts = _facts(cases, prior, settings)
        described = dataclasses.asdict(facts) | {"maps": [_described(maps) for maps in sets]}
        written = content_json(described, summaries, differences)
        (folder / FOLDER).mkdir()
        picture = draw_froc(folder, summaries)
        galleries = dict(_galleries(folder, sets, judged, cases, prepared))
        blocks = report_blocks(facts, summaries, differences, picture, galleries)
        _write(folder / "report.md", render_markdown(facts.title, blocks))
        _write(folder / "report.html", render_html(facts.title, blocks, folder))
        write_csv_table(folder / "images.csv", ("maps", "image_id", *AGREEMENT), _rows(judged))
        _write(folder / OF_MAPS.mark, json.dumps(written, indent=1, allow_nan=False) + "\n")
    return written


def pairs_to_compare(sets: Sequence[HeatMaps]) -> list[tuple[str, str]]:
    """Return the labels of the pairs: each set with its baselines, then trained ones in pairs.

    Raises `HeatMapError` if two sets have one label, or if a set of random weights lacks that of
    the trained ones.
    """
    labels = Counter(maps.card.label for maps in sets)
    for maps in sets:
        if maps.card.label == LABEL or labels[maps.card.label] > 1:
            raise HeatMapError(
                f"{maps.directory}: {maps.card.label!r} is the name of other maps too; sets must "
                "differ in method, network or weights"
            )
    trained = {
        (maps.card.method, maps.card.network): maps.card.label
        for maps in sets
        if maps.card.weights == "trained"
    }
    random = {
        (maps.card.method, maps.card.network): maps
        for maps in sets
        if maps.card.weights == "random"
    }
    for key, maps in random.items():
        if key not in trained:
            raise HeatMapError(
                f"{maps.directory}: is of random weights; give also the maps of {key[0]} on the "
                f"trained {key[1]}"
            )
    pairs = []
    for key, label in trained.items():
        pairs.append((label, LABEL))
        if key in random:
            pairs.append((label, random[key].card.label))
    return pairs + list(combinations(trained.values(), 2))


def _facts(cases: Sequence[Case], prior: CentrePrior, settings: LocalisationSettings) -> Facts:
    roles = Counter(case.role for case in cases)
    counted = [case for case in cases if case.role in ("located", "normal")]
    located = [case for case in cases if case.role == "located"]
    known = {normalise_id(case.patient_id) for case in counted} - {""}
    unknown = sum(not normalise_id(case.patient_id) for case in counted)
    shares = [union_area(case.boxes) / (case.height * case.width) for case in located]
    return Facts(
        title=settings.title or "Localisation of injuries by heat maps",
        located=roles["located"],
        boxes=sum(len(case.boxes) for case in located),
        normal=roles["normal"],
        unlocated=roles["unlocated"],
        contradictory=roles["contradictory"],
        patients=len(known) + unknown,
        unknown_patients=unknown,
        boxes_share=float(np.mean(shares)),
        prior_images=prior.images,
        prior_boxes=prior.boxes,
        draws=settings.draws,
        seed=settings.seed,
    )


def _described(maps: HeatMaps) -> dict[str, Any]:
    card = maps.card.model_dump(mode="json", exclude={"images", "format"})
    return {"label": maps.card.label, **card, "images": len(maps)}


def _galleries(
    folder: Path,
    sets: Sequence[HeatMaps],
    judged: Sequence[Judged],
    cases: Sequence[Case],
    prepared: PreparedData,
) -> Iterator[tuple[str, Any]]:
    """Yield the pictures of the sets of trained weights, by label."""
    by_id = {case.image_id: case for case in cases}
    for number, (maps, numbers) in enumerate(zip(sets, judged, strict=False)):
        if maps.card.weights == "trained":
            failures = worst_failures(numbers)
            yield (
                maps.card.label,
                draw_failures(folder, number, failures, maps, by_id, prepared.archive),
            )


def _rows(judged: Sequence[Judged]) -> Iterator[tuple[str | float, ...]]:
    for numbers in judged:
        located = np.array(numbers.image_id)[numbers.located].tolist()
        for image_id, row in zip(located, numbers.agreement.tolist(), strict=True):
            yield numbers.label, image_id, *(round(value, 6) for value in row)


def _write(path: Path, text: str) -> None:
    path.write_text(plain_text(text), encoding="utf-8")
