import pytest

from elbow_core.dataset import REGIONS_FILE, Region, read_regions, write_regions
from elbow_core.errors import ManifestError
from tests.support.tiny_images import row

ROWS = [row("a", height=100, width=80), row("b", height=50, width=50)]
HEADER = "image_id,kind,x,y,width,height\n"


def test_regions_are_read_back_as_they_were_written(tmp_path):
    boxes = [Region("fracture", 1.25, 2.0, 30.0, 4.5), Region("metal", 0.0, 0.0, 80.0, 100.0)]
    write_regions(tmp_path / REGIONS_FILE, [(ROWS[0], boxes), (ROWS[1], [])], tmp_path)
    assert read_regions(tmp_path, ROWS) == {"a": boxes}
    assert boxes[0].centre == (16.25, 4.25)


def test_box_beyond_its_image_is_not_written(tmp_path):
    boxes = [Region("fracture", 40.0, 0.0, 12.0, 5.0)]
    with pytest.raises(ManifestError, match=r"b.png: the box fracture ends at 52, 5, beyond"):
        write_regions(tmp_path / REGIONS_FILE, [(ROWS[1], boxes)], tmp_path)
    assert not list(tmp_path.iterdir())


def test_data_without_regions_have_none(tmp_path):
    assert not read_regions(tmp_path, ROWS)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("c,fracture,1,1,2,2", "'c' is not in the manifest"),
        ("a,fracture,-1,1,2,2", "x: '-1' is not a number"),
        ("a,fracture,1,1,nan,2", "width: 'nan' is not a number"),
        ("a,fracture,1,1,0,2", "the box is empty"),
        ("a,fracture,1,1,80.5,2", "beyond the 80 x 100 pixels"),
        ("a,fracture,1,1,2,101", "beyond the 80 x 100 pixels"),
    ],
)
def test_wrong_line_is_named(line, problem, tmp_path):
    (tmp_path / REGIONS_FILE).write_text(f"{HEADER}a,fracture,1,1,79.5,2\n{line}\n")
    with pytest.raises(ManifestError, match=f"{REGIONS_FILE}:3: .*{problem}"):
        read_regions(tmp_path, ROWS)


def test_other_columns_are_refused(tmp_path):
    (tmp_path / REGIONS_FILE).write_text("image_id,x,y\n")
    with pytest.raises(ManifestError, match="the columns must be image_id, kind"):
        read_regions(tmp_path, ROWS)
