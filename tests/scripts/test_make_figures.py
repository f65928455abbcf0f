import cv2
import pytest

from scripts.make_figures import preprocessing, synthetic_sheet


@pytest.mark.parametrize("write_figure", [synthetic_sheet, preprocessing])
def test_figure_is_small_grey_and_repeatable(tmp_path, write_figure):
    written = write_figure(tmp_path)
    content = written.read_bytes()
    assert len(content) < 400_000
    sheet = cv2.imread(str(written), cv2.IMREAD_UNCHANGED)
    assert sheet is not None
    assert sheet.ndim == 2
    assert min(sheet.shape) > 700
    assert write_figure(tmp_path).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
