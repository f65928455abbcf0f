"""An ensemble on disk: released from folds, read strictly, refused where one network is needed."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from safetensors.numpy import load_file

from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation.statistics import choose_thresholds
from elbow_core.radiographs import Preprocessing
from elbow_jax.crossval import release_ensemble, require_ensemble
from elbow_jax.models import ModelConfig
from elbow_jax.scoring import (
    freeze_abstention,
    images_seen_by,
    read_card,
    read_released,
    read_single,
)
from tests.support.abstention_data import record
from tests.support.fold_ensembles import (
    FOLDS,
    change_card,
    out_of_fold,
    seen_in_fold,
    write_folds,
)
from tests.support.hostile_json import HOSTILE, places, replaced
from tests.support.released_models import CARD, NETWORK, SIZE, rewrite

OUT_OF_FOLD = "predictions_out_of_fold.csv"


@pytest.fixture
def copied(released, tmp_path) -> Path:
    """A copy of the ensemble, to be changed."""
    return Path(shutil.copytree(released / "model", tmp_path / "model"))


def test_card_names_members_mean_and_the_origin_of_its_operating_points(released):
    card = read_released(released / "model").card
    assert card.ensemble is not None
    assert card.ensemble.mean_of == "probabilities"
    assert card.ensemble.operating_points_from == "out-of-fold scores"
    content = (released / OUT_OF_FOLD).read_bytes()
    assert card.ensemble.out_of_fold_sha256 == hashlib.sha256(content).hexdigest()
    assert card.members == FOLDS
    for number, member in enumerate(card.ensemble.members, start=1):
        weights = (released / f"fold_{number}" / "model" / "weights.safetensors").read_bytes()
        assert (member.repeat, member.fold, member.step) == (1, number, 10 + number)
        assert member.weights_sha256 == hashlib.sha256(weights).hexdigest()
    assert card.step == 13
    scores = out_of_fold()
    expected = {"default": 0.5, **choose_thresholds(scores.label, scores.score)}
    assert card.thresholds == pytest.approx(expected)
    assert card.validation == {"auroc": 1.0, "accuracy": 0.9}


def test_images_of_all_folds_are_those_that_the_ensemble_learnt_from(released):
    seen = images_seen_by(released / "model", read_card(released / "model"))
    assert seen is not None
    assert seen.complete
    folds = [seen_in_fold(number).images for number in range(1, FOLDS + 1)]
    assert seen.images == frozenset().union(*folds)


def test_same_ensemble_is_left_and_another_is_refused(released, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(released, run)
    folds = write_folds(tmp_path / "again")
    before = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    line = release_ensemble(folds, run / OUT_OF_FOLD, run / "model")
    assert line == f"released already: {run / 'model'}"
    change_card(folds[1].model, lambda card: card | {"step": 99})
    with pytest.raises(UserError, match=r"is the ensemble of other networks .* move it away"):
        release_ensemble(folds, run / OUT_OF_FOLD, run / "model")
    assert before == {path.name: path.read_bytes() for path in (run / "model").iterdir()}


@pytest.mark.parametrize(
    ("name", "value"),
    [("preprocessing", Preprocessing(size=SIZE, sigma=1.5)), ("labels", ("normal", "broken"))],
)
def test_folds_that_differ_in_more_than_weights_are_refused(tmp_path, name, value):
    folds = write_folds(tmp_path / "run", **{name: value})
    with pytest.raises(ConfigError, match=f"fold_3/model: its {name} differs from that of .*1/mod"):
        release_ensemble(folds, tmp_path / "run" / OUT_OF_FOLD, tmp_path / "run" / "model")
    assert not (tmp_path / "run" / "model").exists()


def test_failed_writing_leaves_nothing(released, tmp_path, monkeypatch):
    shutil.copytree(released, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    folds = write_folds(tmp_path / "folds")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", fail)
    before = sorted((tmp_path / "run").iterdir())
    with pytest.raises(OSError, match="No space left"):
        release_ensemble(folds, tmp_path / "run" / OUT_OF_FOLD, tmp_path / "run" / "model")
    assert sorted((tmp_path / "run").iterdir()) == before


def test_place_and_size_are_checked_before_the_folds_are_trained(released, tmp_path):
    require_ensemble(released / "model", FOLDS, NETWORK, SIZE)
    require_ensemble(tmp_path / "absent", FOLDS, NETWORK, SIZE)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    require_ensemble(tmp_path / "folder", FOLDS, NETWORK, SIZE)
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    (tmp_path / "link").symlink_to("gone")
    for name in ("file", "folder", "link"):
        with pytest.raises(UserError, match=f"{name} away"):
            require_ensemble(tmp_path / name, FOLDS, NETWORK, SIZE)
    single = released / "fold_1" / "model"
    with pytest.raises(UserError, match="is not an ensemble; move it away"):
        require_ensemble(single, FOLDS, NETWORK, SIZE)
    with pytest.raises(ConfigError, match="1001 networks are more than the 1000"):
        require_ensemble(tmp_path / "absent", 1001, NETWORK, SIZE)
    wide = ModelConfig(backbone="mobilenetv3_large", variant="small", features=20_000)
    with pytest.raises(ConfigError, match=r"take \d+ bytes, and an ensemble may have 8589934592"):
        require_ensemble(tmp_path / "absent", 1000, wide, SIZE)


def test_one_network_is_asked_for_where_an_ensemble_has_no_meaning(released):
    with pytest.raises(ConfigError, match="is an ensemble, and one network is needed"):
        read_single(released / "model")
    assert read_single(released / "fold_2" / "model").card.members is None


def test_thresholds_of_single_members_promise_nothing_for_their_mean(copied):
    ensemble = read_card(copied).ensemble
    assert ensemble is not None
    before = (copied / "model.json").read_bytes()
    wrong = record(0.2, 0.7).model_copy(update={"predictions_sha256": ensemble.out_of_fold_sha256})
    with pytest.raises(ConfigError, match="out-of-fold scores, which are single networks'"):
        freeze_abstention(copied, wrong)
    assert (copied / "model.json").read_bytes() == before
    freeze_abstention(copied, record(0.2, 0.7))
    card = read_released(copied).card
    assert card.abstention == record(0.2, 0.7)
    assert (card.schema_version, card.members) == (4, FOLDS)


def test_every_field_of_an_ensemble_with_every_hostile_value_is_refused_in_one_line(copied):
    card = json.loads((copied / "model.json").read_text())
    tried = 0
    for place in places(card):
        if place[0] not in ("ensemble", "step", "schema_version"):
            continue
        for value in HOSTILE:
            # The largest number of steps is that of the last member.
            sound = place[-1] == "step" and place[2:3] in ((0,), (1,))
            if sound and type(value) is int and value == 0:
                continue
            (copied / "model.json").write_text(json.dumps(replaced(card, place, value)))
            with pytest.raises(ConfigError) as refusal:
                read_card(copied)
            assert str(refusal.value).isprintable()
            assert len(str(refusal.value)) < 1000
            tried += 1
    assert tried > 300


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card | {"schema_version": 3}, "a gate belongs to version 4"),
        (lambda card: card | {"step": 12}, "is not the largest of the ensemble's members"),
        (lambda card: replaced(card, ("ensemble", "members"), []), "at least 2"),
        (
            lambda card: replaced(card, ("ensemble", "members"), card["ensemble"]["members"][:1]),
            "at least 2",
        ),
        (
            lambda card: replaced(card, ("ensemble", "members"), card["ensemble"]["members"][::-1]),
            "not in the order of repeats and folds",
        ),
        (
            lambda card: replaced(card, ("ensemble", "members", 0), card["ensemble"]["members"][1]),
            "or repeated",
        ),
        (lambda card: replaced(card, ("ensemble", "mean_of"), "logits"), "ensemble.mean_of: "),
        (lambda card: {**card, "ensemble": card["ensemble"] | {"weights": [1]}}, "weights: Extra"),
    ],
)
def test_card_of_an_ensemble_that_cannot_be_is_refused(copied, change, message):
    change_card(copied, change)
    with pytest.raises(ConfigError, match=message):
        read_released(copied)


def with_members(card, count):
    """Return the card of an ensemble with so many members."""
    member = card["ensemble"]["members"][-1]
    members = [member | {"fold": fold} for fold in range(1, count + 1)]
    return {**card, "ensemble": card["ensemble"] | {"members": members}}


@pytest.mark.parametrize("count", [2, 4])
def test_weights_of_another_number_of_members_are_refused(copied, count):
    change_card(copied, lambda card: with_members(card, count))
    with pytest.raises(ConfigError, match="holds other tensors than its network: of another shape"):
        read_released(copied)


def test_weights_of_one_network_are_no_ensemble_and_those_of_an_ensemble_no_network(
    released, copied, tmp_path
):
    shutil.copy(released / "fold_1" / "model" / "weights.safetensors", copied)
    rewrite(copied, lambda tensors: None)  # the digest in the card
    with pytest.raises(ConfigError, match="holds other tensors than its network: of another shape"):
        read_released(copied)
    single = Path(shutil.copytree(released / "fold_1" / "model", tmp_path / "single"))
    shutil.copy(released / "model" / "weights.safetensors", single)
    rewrite(single, lambda tensors: None)
    with pytest.raises(ConfigError, match="holds other tensors than its network: of another shape"):
        read_released(single)


def other_tensors(tensors, name):
    array = tensors[name]
    rest = {key: value for key, value in tensors.items() if key != name}
    yield {**tensors, name: array[0]}
    yield {**tensors, name: array[:-1]}
    yield {**tensors, name: np.swapaxes(array, 0, -1).copy()} if array.ndim > 1 else rest
    yield {**tensors, name: np.zeros((FOLDS, 0), np.float32)}
    yield {**tensors, name: array.astype(np.float16)}
    yield rest
    yield {**rest, name + " ": array}


def test_every_tensor_with_another_type_shape_or_name_is_refused(copied):
    original = load_file(copied / "weights.safetensors")
    for name in sorted(original)[::20]:
        for tensors in other_tensors(original, name):
            rewrite(copied, lambda found, new=tensors: (found.clear(), found.update(new)))
            with pytest.raises(ConfigError, match=r"holds other tensors|is '\w+' and not"):
                read_released(copied)


def test_one_member_with_a_weight_that_is_not_finite_is_refused(copied):
    def damage(tensors):
        name = sorted(tensors)[3]
        tensors[name][1].flat[0] = np.nan

    rewrite(copied, damage)
    with pytest.raises(ConfigError, match="holds values that are not finite"):
        read_released(copied)


def test_model_of_one_network_has_the_card_of_version_2(released):
    content = json.loads((released / "fold_1" / "model" / "model.json").read_text())
    assert content["schema_version"] == 2
    assert content.keys() == {*CARD, "schema_version", "weights_sha256", "seen_images_sha256"}
