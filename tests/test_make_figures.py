import runpy
from pathlib import Path

import cv2

SCRIPT = Path(__file__).parent.parent / "scripts" / "make_figures.py"


def test_the_sheet_of_synthetic_radiographs_is_small_grey_and_repeatable(tmp_path):
    draw = runpy.run_path(str(SCRIPT))["synthetic_sheet"]
    written = draw(tmp_path)
    content = written.read_bytes()
    assert len(content) < 400_000
    sheet = cv2.imread(str(written), cv2.IMREAD_UNCHANGED)
    assert sheet is not None
    assert sheet.ndim == 2
    assert min(sheet.shape) > 900
    assert draw(tmp_path).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
