import runpy

import cv2
import pytest

from tests.support.paths import ROOT

SCRIPT = ROOT / "scripts" / "make_figures.py"


@pytest.mark.parametrize("figure", ["synthetic_sheet", "preprocessing"])
def test_figure_is_small_grey_and_repeatable(tmp_path, figure):
    draw = runpy.run_path(str(SCRIPT))[figure]
    written = draw(tmp_path)
    content = written.read_bytes()
    assert len(content) < 400_000
    sheet = cv2.imread(str(written), cv2.IMREAD_UNCHANGED)
    assert sheet is not None
    assert sheet.ndim == 2
    assert min(sheet.shape) > 700
    assert draw(tmp_path).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
