"""The centre prior: the mean of the training masks, and of nothing else."""

from dataclasses import replace
from typing import Any

from elbow_core.dataset import REGIONS_FILE, Region, read_regions, write_regions
from elbow_core.evaluation.localisation.cases import case_of
from elbow_core.evaluation.localisation.centre_prior import fit_centre_prior
from tests.support.heat_maps import write_set
from tests.support.localisation import judge, noise, values_of

METAL = Region("metal", 0.0, 0.0, 50.0, 50.0)


def test_centre_prior_is_the_mean_of_the_training_masks_in_the_stretched_image(data):
    def case(image: str, label: int, *boxes: Region) -> Any:
        row = replace(data.rows[0], image_id=image, label=label, height=100, width=50)
        return case_of(row, boxes)

    prior = fit_centre_prior(
        [
            case("a", 1, Region("fracture", 0.0, 0.0, 25.0, 50.0)),
            case("b", 1, Region("fracture", 0.0, 0.0, 12.5, 25.0), METAL),
            case("c", 1),
            case("d", 0),
        ],
        side=2,
    )
    # The first covers the upper left quarter, the second a quarter of that quarter.
    assert prior.values.tolist() == [[0.625, 0], [0, 0]]
    assert (prior.images, prior.boxes) == (2, 2)


def test_boxes_of_judged_images_do_not_change_the_prior(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    before = values_of(judge(data, good), "centre prior")
    rows = {row.image_id: row for row in data.rows}
    regions = read_regions(data.directory, data.rows)
    corner = {
        image: [Region("fracture", 0.0, 0.0, 4.0, 4.0)] if rows[image].split == "test" else found
        for image, found in regions.items()
    }
    write_regions(
        data.directory / REGIONS_FILE,
        [(rows[image], found) for image, found in corner.items()],
        data.directory,
    )
    after = values_of(judge(data, good), "centre prior")
    assert before["energy"] > 0.05
    assert after["energy"] < 0.01  # the training boxes begin at pixel 4
