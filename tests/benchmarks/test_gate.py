"""The benchmark of the input gate: its images and its counts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.gate.images import COUNT, write_kinds
from benchmarks.gate.measurement import count_flagged, describe
from elbow_core.errors import RadiographError, UserError
from elbow_core.prepare import DataConfig, prepare
from elbow_core.radiographs import read_radiograph
from elbow_core.sources import FracAtlasSource

PARTS = (*["hand"] * 12, "leg", "hip", "shoulder")


@pytest.fixture
def download(tmp_path) -> Path:
    """FracAtlas with fifteen images, of which twelve are hands."""
    root = tmp_path / "raw"
    lines = ["image_id,hand,leg,hip,shoulder,hardware,multiscan,fractured,frontal,lateral,oblique"]
    rng = np.random.default_rng(0)
    for number, part in enumerate(PARTS):
        flags = ",".join(str(int(part == name)) for name in ("hand", "leg", "hip", "shoulder"))
        name, label = f"IMG{number:07d}.jpg", number % 2
        lines.append(f"{name},{flags},0,0,{label},1,0,0")
        folder = root / "images" / ("Non_fractured", "Fractured")[label]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), rng.integers(0, 256, (48, 40), dtype=np.uint8))
    (root / "dataset.csv").write_text("\n".join(lines) + "\n")
    return root


def test_images_are_of_the_test_split_of_other_parts_and_made(tmp_path, download):
    config = DataConfig(
        root=download, out=tmp_path / "hands", source=FracAtlasSource(parts=("hand",)), workers=0
    )
    config = config.model_copy(
        update={
            "preprocess": config.preprocess.model_copy(update={"size": 32}),
            "split": config.split.model_copy(
                update={"train": 0.34, "validation": 0.33, "test": 0.33}
            ),
        }
    )
    prepare(config)
    kinds = write_kinds(download, config.out, tmp_path / "images")
    paths = {kind: listed.read_text().splitlines() for kind, listed in kinds.items()}
    assert [len(paths[kind]) for kind in ("shoulder", "hip", "leg")] == [1, 1, 1]
    hands, inverted = paths["hands, test split"], paths["hands, inverted"]
    assert len(hands) == len(inverted) > 0
    for straight, opposite in zip(hands, inverted, strict=True):
        before, after = (read_radiograph(path) for path in (straight, opposite))
        np.testing.assert_array_equal(before, 255 - after)
    for kind in ("photographs", "noise", "nearly blank", "blank"):
        assert len(paths[kind]) == COUNT
    contents = {Path(path).read_bytes() for path in paths["photographs"]}
    assert len(contents) == COUNT
    with pytest.raises(RadiographError, match="shows nothing"):
        read_radiograph(paths["blank"][0])


def test_flagged_and_rejected_images_are_counted(tmp_path):
    table = tmp_path / "noise.csv"
    header = "path,score,label,operating_point,gate,reason\n"
    rows = ["a,0.5,normal,default,ok,", "b,0.5,normal,default,unlike the training images,"]
    table.write_text(header + "\n".join([*rows, "c,,,,,shows nothing"]) + "\n")
    found = count_flagged("noise", table)
    assert found == {"kind": "noise", "images": 3, "rejected": 1, "flagged": 1}
    last = describe([found]).splitlines()[-1]
    assert last == "| noise | 3 | 1 | 50.0% (9.5% to 90.5%) |"  # Wilson's interval of 1 of 2.
    assert describe([found | {"rejected": 3, "flagged": 0}]).endswith("| 3 | none left |")
    table.write_text(header + "a,0.5,normal,default,,\n")
    with pytest.raises(UserError, match="the model has no input gate"):
        count_flagged("noise", table)
