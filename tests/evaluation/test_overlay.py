"""A heat map over its radiograph: a map of zeros says that it shows nothing."""

import cv2
import numpy as np
import pytest

from elbow_core.evaluation.heat_maps import NO_EVIDENCE, overlay_heat

GREY = np.full((200, 160), 90, np.uint8)


def overlaid(values: np.ndarray, columns: int = 160, **options: str) -> np.ndarray:
    area = (0.0, 0.0, float(columns), 200.0)
    return overlay_heat(GREY[:, :columns], values, area, 200, columns, **options)


def test_empty_map_has_the_caption_at_the_lower_edge():
    picture = overlaid(np.zeros((8, 8), np.float32))
    changed = (picture != 90).any(axis=2)
    assert changed.any()
    assert not changed[:120].any()
    written = picture[changed]
    assert (written.min(), written.max()) == (0, 255)  # legible on any grey


def test_without_a_caption_an_empty_map_leaves_the_radiograph():
    assert (overlaid(np.zeros((8, 8), np.float32), caption="") == 90).all()


def test_map_with_the_least_evidence_has_no_caption():
    values = np.zeros((8, 8), np.float32)
    values[0, 0] = 1e-30
    assert (overlaid(values)[120:] == 90).all()


@pytest.mark.parametrize("columns", [160, 90, 75])
def test_caption_is_broken_into_lines_that_fit(columns, monkeypatch):
    lines = {}
    draw = cv2.putText

    def put_text(picture, text, place, *style):
        lines[place[1]] = text
        return draw(picture, text, place, *style)

    monkeypatch.setattr(cv2, "putText", put_text)
    picture = overlaid(np.zeros((8, 8), np.float32), columns)
    assert " ".join(lines[row] for row in sorted(lines)) == NO_EVIDENCE
    assert len(lines) > 1
    assert (picture[:, -2:] == 90).all()
