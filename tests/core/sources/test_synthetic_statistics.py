"""Neither a global statistic of the grey values nor hardware alone may predict the label."""

import re

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elbow_core.sources.synthetic import FINDINGS, label_of, write_elbow_tree
from elbow_core.sources.synthetic.elbow.anatomy import render_bones, sample_anatomy
from elbow_core.sources.synthetic.elbow.pose import pose_limb

LIMIT = 0.65  # Largest AUROC allowed.
SHIFT = 25  # Grey levels: an acquisition artefact that the same measurement must detect.


def statistics_of(image: np.ndarray) -> np.ndarray:
    """Return mean, standard deviation and a histogram of 32 bins."""
    histogram = np.bincount(image.ravel() >> 3, minlength=32) / image.size
    return np.concatenate([[image.mean() / 255, image.std() / 255], histogram])


def separation(features: np.ndarray, labels: np.ndarray, patients: np.ndarray) -> float:
    """Return the AUROC of a logistic regression, cross-validated by patient."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    folds = GroupKFold(5)
    scores = cross_val_predict(
        model, features, labels, groups=patients, cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(labels, np.asarray(scores)[:, 1]))


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("statistics") / "tree"
    write_elbow_tree(root, patients=240, seed=11, size=128)
    paths = sorted(root.glob("p*"))
    names = [re.fullmatch(r"p(\d+)_s\d_(.+)_(ap|lateral)", path.stem) for path in paths]
    images = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths]
    labels = np.array([label_of(name[2]) for name in names if name])
    return images, labels, np.array([int(name[1]) for name in names if name])


def test_no_global_statistic_separates_the_classes(radiographs):
    images, labels, patients = radiographs
    features = np.stack([statistics_of(image) for image in images])
    assert len(labels) > 400
    assert separation(features, labels, patients) <= LIMIT


@pytest.mark.parametrize("number", [0, 1])
def test_neither_mean_nor_spread_alone_separates_the_classes(radiographs, number):
    images, labels, _ = radiographs
    value = np.array([statistics_of(image)[number] for image in images])
    area = float(roc_auc_score(labels, value))
    assert max(area, 1 - area) <= LIMIT


def test_the_same_measurement_detects_a_shift_of_brightness(radiographs):
    images, labels, patients = radiographs
    shifted = [
        np.clip(image.astype(int) + SHIFT * label, 0, 255).astype(np.uint8)
        for image, label in zip(images, labels, strict=True)
    ]
    features = np.stack([statistics_of(image) for image in shifted])
    assert separation(features, labels, patients) > 0.8


def test_size_and_shape_do_not_separate_the_classes(radiographs):
    images, labels, patients = radiographs
    features = np.array([image.shape for image in images], dtype=np.float64)
    assert separation(features, labels, patients) <= 0.58


def test_metal_is_also_in_injured_limbs_and_not_in_all_treated_ones():
    def metal_share(finding: str) -> float:
        shares = []
        for number in range(60):
            rng = np.random.default_rng([number, FINDINGS.index(finding)])
            anatomy = sample_anatomy(rng)
            bones = render_bones(anatomy, "ap", 135.0, 1.5)
            limb = pose_limb(bones, "ap", finding, "elbow", anatomy, rng)
            shares.append(any(piece.metal for piece in limb.pieces))
        return float(np.mean(shares))

    assert metal_share("treated_fracture_plate") == 1.0
    assert metal_share("treated_fracture_cast") == 0.0
    assert 0.03 < metal_share("supracondylar_fracture") < 0.25
