"""The folder of an explanation, written image by image: sets of maps, scores and pictures.

explanations.json   what was explained, by which methods; its mark
images.csv          each image's score; with integrated gradients, their sum and what it should be
<set>/              maps.json and one .npy for each image: see `elbow_core.evaluation.heat_maps`
pictures/           a sheet for each image, in the same order
"""

import json
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from elbow_core.evaluation.heat_maps import CARD, MAP_NAME, MapsWriter
from elbow_core.evaluation.pages import OwnFolder, own_folder, require_own_folder
from elbow_core.tables import write_csv_table
from elbow_jax.explain.explainer import Explained, describe_method
from elbow_jax.explain.methods import sets_of
from elbow_jax.explain.names import METHODS, STEPS
from elbow_jax.explain.sheets import draw_sheet, gate_title, stretched
from elbow_jax.explain.sources import Source
from elbow_jax.models import BACKBONES
from elbow_jax.scoring import ModelCard

PICTURES, TABLE = "pictures", "images.csv"
KIND, SCHEMA = "explanations", 1

_OF_SET = re.compile(rf"{re.escape(CARD)}|{MAP_NAME.pattern}")
_SETS = [name for method in METHODS for name in sets_of(method, "fusion")]


def _is_mark(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and content.get("kind") == KIND
        and type(content.get("schema")) is int
        and 1 <= content["schema"] <= SCHEMA
    )


_FOLDER = OwnFolder(
    kind="explanations",
    mark="explanations.json",
    is_mark=_is_mark,
    files=re.compile(re.escape(TABLE)),
    folders={**dict.fromkeys(_SETS, _OF_SET), PICTURES: re.compile(r"[0-9]{5,}\.png")},
)


def require_explained_folder(out: Path) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or an earlier explanation alone."""
    require_own_folder(out, _FOLDER)


def explained_folder(out: Path) -> AbstractContextManager[Path]:
    """Return the context of `elbow_core.evaluation.pages.own_folder` for an explanation."""
    return own_folder(out, _FOLDER)


class SetsWriter:
    """Writes every set of maps of a network, the table and the pictures, one image at a time.

    Args:
        folder: an empty folder: see `explained_folder`.
        card: of the model.
        methods: some of `METHODS`.
        network: the name of the network on the cards.
        weights: whether they are the model's.
        with_pictures: whether sheets are drawn.
        steps: points of the path of integrated gradients.
    """

    def __init__(
        self,
        folder: Path,
        card: ModelCard,
        methods: Sequence[str],
        network: str,
        weights: Literal["trained", "random"],
        with_pictures: bool,
        steps: int = STEPS,
    ) -> None:
        self._folder = folder
        self._methods = tuple(methods)
        self._backbone = card.architecture.backbone
        self._of_record = {"network": network, "weights": weights, "methods": list(methods)}
        size = card.preprocessing.size
        self._sets: dict[str, MapsWriter] = {}
        for method in methods:
            for name, part in sets_of(method, self._backbone).items():
                self._sets[name] = MapsWriter(
                    folder / name,
                    format=1,
                    method=describe_method(method, size, steps),
                    network=f"{network}: {part}" if part else network,
                    weights=weights,
                    height=size,
                    width=size,
                )
        self._rows: list[tuple[str | float, ...]] = []
        self._pictures = folder / PICTURES
        self._with_pictures = with_pictures
        if with_pictures:
            self._pictures.mkdir()

    def add(self, found: Explained, source: Source) -> None:
        """Write the maps and the sheet of the next image."""
        image = source.image_of(found.position)
        for name, maps in self._sets.items():
            maps.add(image, found.maps[name])
        picture = source.picture_of(found.position)
        if self._with_pictures:
            maps = [self._maps_of(found, part) for part in self._parts()]
            gates = [self._gates_of(found, part) for part in self._parts()]
            sheet = draw_sheet(picture, image, maps, gates, source.shown)
            path = self._pictures / f"{len(self._rows):05d}.png"
            path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
        row: tuple[str | float, ...] = (image.image_id, round(found.score, 6))
        if "integrated_gradients" in self._methods:
            row += (round(found.attributed, 6), round(found.difference, 6))
        self._rows.append(row)

    def finish(self) -> None:
        """Write the cards, the table and the mark."""
        for maps in self._sets.values():
            maps.finish()
        columns: tuple[str, ...] = ("image_id", "score")
        if "integrated_gradients" in self._methods:
            columns += ("attributed", "difference")
        write_csv_table(self._folder / TABLE, columns, self._rows)
        record = {
            "schema": SCHEMA,
            "kind": KIND,
            **self._of_record,
            "sets": list(self._sets),
            "images": len(self._rows),
        }
        text = json.dumps(record, indent=1) + "\n"
        (self._folder / _FOLDER.mark).write_text(text, encoding="utf-8")

    def incompleteness(self) -> float | None:
        """Return the largest error of the integrated gradients' sum, relative to the difference.

        None without them. Differences below 0.1 count as 0.1: a logit by which nothing changes.
        """
        if "integrated_gradients" not in self._methods or not self._rows:
            return None
        values = np.array([row[2:] for row in self._rows], np.float64)
        error = np.abs(values[:, 0] - values[:, 1])
        return float(np.max(error / np.maximum(np.abs(values[:, 1]), 0.1)))

    def _parts(self) -> tuple[str, ...]:
        return ("", *BACKBONES) if self._backbone == "fusion" else ("",)

    def _maps_of(self, found: Explained, part: str) -> dict[str, Any]:
        """Return the maps of a part of the network by title."""
        tiles: dict[str, Any] = {}
        for method in self._methods:
            name = f"{method}_{part}" if part else method
            if name in found.maps:
                tiles[f"{part} {method}".strip().replace("_", " ")] = found.maps[name]
        return tiles

    def _gates_of(self, found: Explained, part: str) -> dict[str, Any]:
        """Return the gates of a part of the network by title."""
        return {
            gate_title(name, gate): stretched(gate)
            for name, gate in found.gates.items()
            if self._backbone != "fusion" or name.startswith(f"{part}/")
        }
