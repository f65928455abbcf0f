"""Heat maps by size of the finding and by body part."""

import numpy as np
import pytest

from elbow_core.evaluation.localisation.cases import Case, Role
from elbow_core.evaluation.localisation.content import Estimate
from elbow_core.evaluation.localisation.judging import AGREEMENT, Judged
from elbow_core.evaluation.localisation.sections import subgroup_blocks
from elbow_core.evaluation.localisation.subgroups import (
    BODY_PART,
    FEWEST,
    SIZE,
    SubgroupSummary,
    subgroups_of,
    summarise_subgroups,
)
from elbow_core.evaluation.report.rendering import Paragraph, Table
from elbow_core.evaluation.statistics import ScoredMarks


def case(number: int, side: float, part: str = "hand", role: Role = "located") -> Case:
    """An image of 100 x 100 pixels with a square box."""
    boxes = np.array([[0.0, 0.0, side, side]]) if role == "located" else np.empty((0, 4))
    return Case(f"i{number}", f"p{number}", 100, 100, boxes, role, part)


def judged(values: np.ndarray, label: str = "maps", clusters: np.ndarray | None = None) -> Judged:
    """Maps with these values of every measure."""
    images = len(values)
    nothing, clusters = np.empty(0), np.arange(images) if clusters is None else clusters
    no_cluster = np.empty(0, np.int64)
    marks = ScoredMarks(clusters, nothing, no_cluster, nothing, no_cluster)
    return Judged(
        label=label,
        image_id=tuple(f"i{k}" for k in range(images)),
        located=np.ones(images, bool),
        agreement=np.tile(values[:, None], len(AGREEMENT)),
        located_cluster=clusters,
        marks=marks,
        marks_per_image=0.0,
        flat=0,
        equal_maxima=False,
    )


def test_sizes_are_divided_at_their_thirds_and_normal_images_do_not_count():
    cases = [case(k, float(side)) for k, side in enumerate([30, 10, 20, 60, 50, 40])]
    groups = subgroups_of([*cases[:3], case(9, 0.0, role="normal"), *cases[3:]])
    assert [(group.attribute, group.name) for group in groups] == [
        (SIZE, "smallest third, 1.00% to 4.00% of the image"),
        (SIZE, "middle third, 9.00% to 16.00% of the image"),
        (SIZE, "largest third, 25.00% to 36.00% of the image"),
    ]
    assert groups[0].members.tolist() == [False, True, True, False, False, False]


def test_equal_sizes_stay_together_and_a_single_value_is_no_subgroup():
    assert subgroups_of([case(k, 10.0) for k in range(6)]) == []
    groups = subgroups_of([case(k, 10.0 if k < 5 else 20.0) for k in range(6)])
    assert [group.images for group in groups] == [5, 1]


def test_body_parts_are_those_of_the_manifest():
    groups = subgroups_of([case(0, 10.0, "hand"), case(1, 10.0, ""), case(2, 10.0, "hand")])
    assert [(group.attribute, group.name, group.images) for group in groups] == [
        (BODY_PART, "hand", 2),
        (BODY_PART, "unknown", 1),
    ]


def test_measures_are_the_means_of_the_subgroup_and_small_ones_are_not_judged():
    parts = ["hand"] * 20 + ["leg"] * (FEWEST - 1)
    cases = [case(k, 10.0, part) for k, part in enumerate(parts)]
    values = np.linspace(0, 1, len(parts))
    hand, leg = summarise_subgroups([judged(values)], subgroups_of(cases), 400, 0)
    assert set(hand.estimates) == set(AGREEMENT)
    found = hand.estimates["energy"]
    assert found.value == pytest.approx(values[:20].mean())
    # The normal approximation over twenty images, each a patient of its own.
    half = 1.96 * values[:20].std(ddof=1) / np.sqrt(20)
    assert (found.low, found.high) == pytest.approx(
        (found.value - half, found.value + half), abs=0.03
    )
    assert (leg.images, leg.estimates) == (FEWEST - 1, {})
    assert hand.to_json()["measures"]["energy"]["value"] == found.value


def test_intervals_are_over_the_patients_of_the_subgroup():
    cases = [case(k, 10.0, "hand" if k < 20 else "leg") for k in range(40)]
    values = np.repeat(np.linspace(0, 1, 20), 2)
    of_pairs = judged(values, clusters=np.repeat(np.arange(20), 2))
    alone, paired = (
        summarise_subgroups([maps], subgroups_of(cases), 400, 0)[0].estimates["energy"]
        for maps in (judged(values), of_pairs)
    )
    assert paired.high - paired.low > 1.2 * (alone.high - alone.low)


def test_all_or_none_has_the_interval_of_wilson():
    cases = [case(k, 10.0, "hand" if k < 10 else "leg") for k in range(20)]
    none, all_ = summarise_subgroups(
        [judged(np.repeat([0.0, 1.0], 10))], subgroups_of(cases), 200, 0
    )
    assert none.estimates["pointing"].high == pytest.approx(0.2775, abs=1e-4)  # 0 of 10
    assert all_.estimates["pointing"].low == pytest.approx(0.7225, abs=1e-4)


def test_report_has_a_table_for_each_attribute_and_names_what_is_too_small():
    estimates = {name: Estimate(0.5, 0.4, 0.6) for name in AGREEMENT}
    blocks = subgroup_blocks(
        [
            SubgroupSummary(BODY_PART, "hand", 30, "maps", estimates),
            SubgroupSummary(BODY_PART, "hip", 3, "maps", {}),
        ]
    )
    (table,) = [block for block in blocks if isinstance(block, Table)]
    assert table.rows == (("hand", "maps", "30", *["0.500 (0.400 to 0.600)"] * 4),)
    last = blocks[-1]
    assert isinstance(last, Paragraph)
    assert last.text == "Not judged, with fewer than 10 images: hip (3)."
    assert subgroup_blocks([]) == []
