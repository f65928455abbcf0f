"""Settings of a table of labels that contradict themselves."""

import pytest
from pydantic import ValidationError

from elbow_core.sources import TableColumns, TableSource
from tests.support.label_tables import SOURCE


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "B"}, "exactly one of file, sop_instance_uid, accession_number"),
        ({"label": "B", "file": "A", "sop_instance_uid": "U"}, "not file and sop_instance_uid"),
        ({"label": "B", "file": "A", "study": "S"}, "study needs patient"),
        ({"label": "", "file": "A"}, "is empty"),
        ({"label": "B ", "file": "A"}, "has a blank at its ends"),
        ({"label": "B", "file": "A" * 101}, "at most 100 characters"),
    ],
)
def test_columns_that_find_no_image_are_refused(columns, message):
    with pytest.raises(ValidationError, match=message):
        TableColumns(**columns)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {}}, "at least 1 item"),
        ({"labels": {"a": 1, "A": 0}}, "are one text"),
        ({"labels": {"a ": 1, "b": 0}}, "has a blank at its ends"),
        ({"attributes": {"a\nb": "Sex"}}, "is not printable"),
        ({"labels": {"a": 2}}, "Input should be 0 or 1"),
        ({"views": {"x": "skyline"}}, "Input should be 'ap'"),
        ({"splits": {"x": "dev"}}, "Input should be 'train'"),
        ({"attribute_types": {"age": "number"}}, "'age' is not in attributes"),
        ({"body_part": "elbow"}, "columns.body_part too"),
        ({"header_row": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        TableSource.model_validate(SOURCE.model_dump() | changes)
