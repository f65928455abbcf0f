"""Groups of images from the facts of a manifest."""

import numpy as np
import pytest

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.subgroups import UNKNOWN, Grouping, attributes_of, groupings_of
from elbow_core.evaluation.subgroups.groupings import MOST_GROUPS, NOT_A_NUMBER, NOT_AN_AGE, OTHERS
from tests.support.scores import predictions_of


def row(image_id: str, label: int, finding: str = "", view: str = "ap", **further) -> ManifestRow:
    return ManifestRow(
        *(image_id, f"{image_id}.png", label, "test", "p", "", view, "elbow", finding, ""),
        attributes=tuple(sorted(further.items())),
    )


def only_grouping(attribute: str, values: list[str]) -> Grouping:
    (grouping,), left_out = groupings_of({attribute: np.array(values)})
    assert left_out == []
    assert grouping.attribute == attribute
    return grouping


def names_of(grouping: Grouping) -> list[str]:
    """Return each image's group by name."""
    return [grouping.groups[number] for number in grouping.number]


def test_hardware_is_read_from_the_finding_and_unknown_stays_unknown():
    predictions = predictions_of(["a", "b", "c"], [""] * 3, [""] * 3, [1, 0, 0], [0.9, 0.2, 0.3])
    rows = [row("c", 0), row("b", 0, "treated, Hardware"), row("a", 1, "fracture", "")]
    attributes = attributes_of(predictions, rows)
    assert attributes["hardware"].tolist() == ["absent", "present", "unknown"]
    assert attributes["view"].tolist() == ["unknown", "ap", "ap"]
    # An attribute with one value, like body part and source here, makes no subgroups.
    groupings, _ = groupings_of(attributes)
    assert [grouping.attribute for grouping in groupings] == ["view", "hardware", "finding"]


def test_further_columns_of_the_manifest_are_attributes():
    predictions = predictions_of(["a", "b", "c"], [""] * 3, [""] * 3, [1, 0, 0], [0.9, 0.2, 0.3])
    rows = [row("a", 1, sex="F", site="x"), row("b", 0, sex="M"), row("c", 0, site="x")]
    attributes = attributes_of(predictions, rows)
    assert list(attributes)[-2:] == ["sex", "site"]
    assert attributes["sex"].tolist() == ["F", "M", UNKNOWN]
    assert attributes["site"].tolist() == ["x", UNKNOWN, "x"]


def test_column_named_like_a_field_of_the_manifest_does_not_replace_it():
    predictions = predictions_of(["a", "b"], [""] * 2, [""] * 2, [1, 0], [0.9, 0.2])
    rows = [
        ManifestRow(
            *(name, f"{name}.png", label, "test", "p", "", "ap", "elbow", "", "here"),
            attributes=(("source", "there"),),
        )
        for name, label in (("a", 1), ("b", 0))
    ]
    attributes = attributes_of(predictions, rows)
    assert attributes["source"].tolist() == ["here", "here"]
    assert attributes["source (column)"].tolist() == ["there", "there"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [([row("a", 1)], "'b' is not in the manifest"), ([row("a", 1), row("b", 1)], "but 1 in")],
)
def test_manifest_with_other_images_or_labels_is_refused(rows, message):
    predictions = predictions_of(["a", "b"], ["", ""], ["", ""], [1, 0], [0.9, 0.2])
    with pytest.raises(PredictionsError, match=message):
        attributes_of(predictions, rows)


def test_groups_hold_every_image_once_and_combine_the_smallest():
    values = [f"finding {k % 50}" if k < 200 else "common" for k in range(300)]
    grouping = only_grouping("finding", values)
    assert len(grouping.groups) == MOST_GROUPS
    assert grouping.groups[0] == "common"
    assert grouping.groups[-1] == OTHERS
    assert np.bincount(grouping.number).tolist() == [100] + 28 * [4] + [88]


def test_ages_are_in_bands_that_the_cut_points_begin():
    ages = ["0", "1", "2", "5", "6", "11", "11.9", "12", "17", "18", "39", "40", "64", "65", "120"]
    assert names_of(only_grouping("age", ages)) == [
        *("0 to 1", "0 to 1", "2 to 5", "2 to 5", "6 to 11", "6 to 11", "6 to 11"),
        *("12 to 17", "12 to 17", "18 to 39", "18 to 39", "40 to 64", "40 to 64"),
        *("65 and over", "65 and over"),
    ]


def test_few_ages_are_in_the_same_bands():
    grouping = only_grouping("Age", ["70", "3", "70"])
    assert grouping.groups == ("2 to 5", "65 and over")
    assert grouping.number.tolist() == [1, 0, 1]


def test_codes_for_a_missing_age_are_no_age():
    ages = ["30"] * 40 + ["999", "-1", UNKNOWN]
    grouping = only_grouping("age", ages)
    assert grouping.groups == ("18 to 39", NOT_AN_AGE, UNKNOWN)
    assert grouping.number[-3:].tolist() == [1, 1, 2]


def test_other_numbers_are_in_quartiles_whose_names_are_the_cut_points():
    years = [str(2001 + k % 8) for k in range(80)]
    grouping = only_grouping("year", [*years, UNKNOWN])
    assert grouping.groups == (
        *("up to 2002", "above 2002 to 2004", "above 2004 to 2006", "above 2006", UNKNOWN),
    )
    assert np.bincount(grouping.number).tolist() == [20, 20, 20, 20, 1]
    assert names_of(grouping)[:3] == ["up to 2002", "up to 2002", "above 2002 to 2004"]


def test_quartiles_that_fall_on_one_value_make_fewer_groups():
    spacing = ["0.144"] * 90 + [f"0.{200 + k}" for k in range(10)]
    grouping = only_grouping("spacing", spacing)
    assert grouping.groups == ("up to 0.144", "above 0.144")
    assert np.bincount(grouping.number).tolist() == [90, 10]


def test_a_few_numbers_are_shown_value_by_value():
    grouping = only_grouping("exam", ["1", "2", "1", "3", UNKNOWN])
    assert grouping.groups == ("1", "2", "3", UNKNOWN)


def test_a_few_words_among_numbers_are_a_group_of_their_own():
    values = [str(k) for k in range(98)] + ["n/a", "missing"]
    grouping = only_grouping("weight", values)
    assert grouping.groups[-1] == NOT_A_NUMBER
    assert np.bincount(grouping.number).tolist() == [25, 24, 25, 24, 2]


def test_column_of_words_and_numbers_is_not_numeric():
    values = [str(k % 10) for k in range(90)] + ["n/a"] * 10
    assert set(only_grouping("code", values).groups) == {*map(str, range(10)), "n/a"}


def test_finding_of_the_manifest_is_never_a_number():
    values = [str(k % 9) for k in range(90)]
    assert len(only_grouping("finding", values).groups) == 9


def test_column_that_names_each_image_is_left_out_with_a_sentence():
    groupings, left_out = groupings_of({"accession": np.array([f"A{k}" for k in range(100)])})
    assert groupings == []
    assert left_out == [
        "The attribute accession makes no subgroups: it has 100 values, and the 29 most frequent "
        "ones hold 29 of 100 images."
    ]
