"""Heat maps on disk: what is written is read, and anything else is refused with its file."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.errors import HeatMapError
from elbow_core.evaluation.heat_maps import (
    MappedImage,
    MapsCard,
    open_maps,
    require_maps_folder,
    write_maps,
)

SHAPE = (3, 4)


def card(*ids: str, **changes: Any) -> MapsCard:
    images = tuple(
        MappedImage(image_id=name, height=30, width=40, area=(0.0, 0.0, 40.0, 30.0)) for name in ids
    )
    values = {"format": 1, "method": "Grad-CAM", "network": "n", "weights": "trained"}
    return MapsCard(**(values | changes), height=SHAPE[0], width=SHAPE[1], images=images)


def a_map(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE).astype(np.float32)


@pytest.fixture
def maps(tmp_path) -> Path:
    write_maps(tmp_path / "maps", card("a", "b"), [a_map(0), a_map(1)])
    return tmp_path / "maps"


def test_written_maps_are_read(maps):
    found = open_maps(maps)
    assert found.card == card("a", "b")
    assert found.card.label == "Grad-CAM, n"
    assert len(found) == 2
    for seed, values in enumerate(found):
        assert values.dtype == np.float32
        assert np.array_equal(values, a_map(seed))
    with pytest.raises(IndexError):
        found[2]


def test_any_order_in_memory_and_byte_order_is_written_alike(tmp_path):
    values = a_map()
    write_maps(tmp_path / "maps", card("a"), [np.asfortranarray(values)])
    assert np.array_equal(open_maps(tmp_path / "maps")[0], values)


def test_card_of_another_writer_is_read(maps):
    image = {"image_id": "é.png", "height": 30, "width": 40, "area": [-5, 0.5, 50, 30]}
    content = {"format": 1, "method": "IG", "network": "n", "weights": "random"}
    content |= {"height": 3, "width": 4, "images": [image]}
    (maps / "maps.json").write_text(json.dumps(content), encoding="utf-8")
    found = open_maps(maps).card
    assert found.label == "IG, n, random weights"
    assert found.images[0].area == (-5.0, 0.5, 50.0, 30.0)


def array_file(array: np.ndarray, path: Path, **options: Any) -> None:
    with path.open("wb") as file:
        np.save(file, array, **options)


def nan(path: Path) -> None:
    array_file(np.where(np.eye(3, 4) == 1, np.nan, a_map()).astype(np.float32), path)


def infinite(path: Path) -> None:
    array_file(np.full(SHAPE, np.inf, np.float32), path)


def negative(path: Path) -> None:
    array_file(a_map() - np.float32(0.99), path)


def float64(path: Path) -> None:
    array_file(a_map().astype(np.float64), path)


def big_endian(path: Path) -> None:
    array_file(a_map().astype(">f4"), path)


def by_columns(path: Path) -> None:
    array_file(np.asfortranarray(a_map()), path)


def transposed(path: Path) -> None:
    array_file(np.ascontiguousarray(a_map().T), path)


def one_axis(path: Path) -> None:
    array_file(a_map().ravel(), path)


def pickled(path: Path) -> None:
    array_file(np.array([{}], object), path, allow_pickle=True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


def text(path: Path) -> None:
    path.write_text("mine")


def header(path: Path, text: str) -> None:
    values = path.read_bytes()[-48:]
    written = text.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(written).to_bytes(2, "little") + written + values)


def code(path: Path) -> None:
    header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4).__class__((3, 4)), }")


def long_shape(path: Path) -> None:
    header(path, f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 4000}, 4), }}")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def missing(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def test_header_of_another_writer_is_read(maps):
    header(maps / "00001.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3,4),}  ")
    assert np.array_equal(open_maps(maps)[1], a_map(1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nan, "contains a value that is not finite"),
        (infinite, "contains a value that is not finite"),
        (negative, "contains the negative value -0"),
        (float64, "is not float32 in C order"),
        (big_endian, "is not float32 in C order"),
        (by_columns, "is not float32 in C order"),
        (transposed, "has 4 x 3 values, but the card says 3 x 4"),
        (one_axis, "has 12 values, but the card says 3 x 4"),
        (pickled, "is not float32 in C order"),
        (cut, "is cut short"),
        (longer, "bytes behind its values"),
        (huge, "has more than"),
        (text, "is not a .npy file"),
        (empty, "is not a .npy file"),
        (code, "is not a .npy file"),
        (long_shape, "is not a .npy file"),
        (missing, "cannot be read: No such file"),
        (folder, "is not a regular file"),
        (pipe, "is not a regular file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_damaged_map_is_refused_with_its_file(maps, damage, message):
    damage(maps / "00001.npy")
    found = open_maps(maps)
    assert np.array_equal(found[0], a_map(0))
    with pytest.raises(HeatMapError, match=message) as caught:
        found[1]
    assert str(caught.value).startswith(str(maps / "00001.npy"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2 is newer than this program's 1"),
        ({"weights": "untrained"}, "weights"),
        ({"height": 0}, "height"),
        ({"width": 100_000}, "width"),
        ({"method": ""}, "method"),
        ({"network": "a\nb"}, "not printable text"),
        ({"network": " a"}, "without blanks around it"),
        ({"images": []}, "images"),
        ({"extra": 1}, "extra"),
    ],
)
def test_wrong_card_is_refused_in_one_line(maps, changes, message):
    path = maps / "maps.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(HeatMapError, match=message) as caught:
        open_maps(maps)
    assert str(caught.value).startswith(f"{path}: is not a card of heat maps: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("other", ["a", " a", "a\u200b"])
def test_two_maps_of_one_image_are_refused(maps, other):
    path = maps / "maps.json"
    content = json.loads(path.read_text())
    content["images"][1]["image_id"] = other
    path.write_text(json.dumps(content))
    with pytest.raises(HeatMapError, match=r"images: .* has two maps"):
        open_maps(maps)


@pytest.mark.parametrize(
    "area", [[0, 0, 0, 30], [0, 0, -40, 30], [0, 0, 40], [0, 0, 1e9, 30], "0,0,40,30"]
)
def test_area_that_cannot_be_is_refused(maps, area):
    path = maps / "maps.json"
    content = json.loads(path.read_text())
    content["images"][0]["area"] = area
    path.write_text(json.dumps(content))
    with pytest.raises(HeatMapError, match=r"images\.0\.area"):
        open_maps(maps)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"format": NaN}', "[" * 100_000])
def test_text_that_is_no_card_is_refused(maps, content):
    (maps / "maps.json").write_text(content)
    with pytest.raises(HeatMapError, match="is not a card of heat maps"):
        open_maps(maps)


def test_missing_card_is_refused(tmp_path):
    with pytest.raises(HeatMapError, match=r"gone/maps\.json: cannot be read: No such file"):
        open_maps(tmp_path / "gone")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([a_map()], "1 maps of 2 images"),
        ([a_map()] * 3, "more maps than the 2 images"),
        ([a_map(), a_map()[:2]], "b: has 2 x 4 values"),
        ([a_map(), a_map() * np.float32(np.nan)], "b: contains a value that is not finite"),
        ([a_map(), -a_map()], "b: contains the negative value"),
    ],
)
def test_wrong_maps_are_not_written(tmp_path, given, message):
    with pytest.raises(HeatMapError, match=message):
        write_maps(tmp_path / "maps", card("a", "b"), given)
    assert not (tmp_path / "maps").exists()


def test_only_an_earlier_set_of_maps_is_replaced(maps):
    write_maps(maps, card("c"), [a_map(5)])
    assert sorted(path.name for path in maps.iterdir()) == ["00000.npy", "maps.json"]
    (maps / "thesis.tex").write_text("mine")
    with pytest.raises(HeatMapError, match=r"holds other files, such as thesis\.tex"):
        write_maps(maps, card("d"), [a_map(6)])
    (maps / "thesis.tex").unlink()
    (maps / "maps.json").write_text("{}")
    with pytest.raises(HeatMapError, match="is not a card of heat maps"):
        require_maps_folder(maps)
    assert np.array_equal(np.load(maps / "00000.npy"), a_map(5))
