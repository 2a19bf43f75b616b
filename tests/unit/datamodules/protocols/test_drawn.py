from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from datamodules.protocols.drawn import DrawnProtocolConfig
from datamodules.synthetic_faces.drawn_faces import identity

CACHE = Path("never written")


def listed(config):
    manifest = config.dataset().manifest(CACHE)
    return manifest, config.pairs(manifest)


def test_half_of_every_fold_is_genuine():
    manifest, pairs = listed(DrawnProtocolConfig())
    assert len(pairs) == 600
    assert pairs.left.dtype == pairs.right.dtype == pairs.fold.dtype == np.int64
    assert pairs.same.dtype == bool
    for fold in range(10):
        assert pairs.same[pairs.fold == fold].sum() == 30
        assert (pairs.fold == fold).sum() == 60
    who = np.array(manifest.identities)
    assert np.array_equal(who[pairs.left] == who[pairs.right], pairs.same)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_no_pair_occurs_twice_or_with_itself(share):
    _, pairs = listed(DrawnProtocolConfig(look_alike_share=share))
    both = {frozenset(pair) for pair in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)}
    assert len(both) == len(pairs)
    assert all(len(pair) == 2 for pair in both)


@pytest.mark.parametrize(
    "settings", [{}, {"subjects": 20, "shots": 12}, {"subjects": 7, "folds": 3, "shots": 5, "pairs_per_fold": 20}]
)
def test_impostor_pairs_are_spread_over_all_pairs_of_subjects(settings):
    manifest, pairs = listed(DrawnProtocolConfig(**settings))
    who = np.array(manifest.identities)
    met = Counter(frozenset(pair) for pair in zip(who[pairs.left[~pairs.same]], who[pairs.right[~pairs.same]], strict=True))
    subjects = len(set(who))
    possible = subjects * (subjects - 1) // 2
    assert len(met) == min(possible, (~pairs.same).sum())
    assert max(met.values()) - min(met.values()) <= 1
    compared = Counter(np.concatenate([who[pairs.left[~pairs.same]], who[pairs.right[~pairs.same]]]).tolist())
    assert len(compared) == subjects
    assert max(compared.values()) - min(compared.values()) <= 2


@pytest.mark.parametrize("settings", [{}, {"subjects": 9, "folds": 4, "shots": 6, "pairs_per_fold": 24}])
def test_genuine_pairs_are_spread_over_all_subjects(settings):
    manifest, pairs = listed(DrawnProtocolConfig(**settings))
    shown = Counter(manifest.identities[row] for row in pairs.left[pairs.same].tolist())
    assert set(shown) == set(manifest.identities)
    assert max(shown.values()) - min(shown.values()) <= 1


def test_a_fold_mixes_all_subjects():
    manifest, pairs = listed(DrawnProtocolConfig(subjects=60, shots=4))
    who = np.array(manifest.identities)
    for fold in range(10):
        rows = (pairs.fold == fold) & ~pairs.same
        assert len(set(who[pairs.left[rows]]) | set(who[pairs.right[rows]])) == 60


def test_look_alikes_are_spread_over_all_subjects():
    manifest, pairs = listed(DrawnProtocolConfig(subjects=20, look_alike_share=1.0, pairs_per_fold=40))
    shown = Counter(manifest.identities[row] for row in pairs.left[~pairs.same].tolist())
    assert set(shown.values()) == {10}
    assert len(shown) == 20


def test_look_alikes_are_compared_with_their_base_in_another_shot():
    config = DrawnProtocolConfig(look_alike_share=0.5)
    manifest, pairs = listed(config)
    parts = {identity(number, part): (identity(number), part) for number, part in config.dataset().people() if part}
    alike = [
        (left, right)
        for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
        if manifest.identities[right] in parts
    ]
    assert len(alike) == 10 * 15
    for left, right in alike:
        assert parts[manifest.identities[right]][0] == manifest.identities[left]
        assert manifest.keys[left][-3:] != manifest.keys[right][-3:]
    assert len({parts[manifest.identities[right]][1] for _, right in alike}) == 5


def test_the_pairs_do_not_depend_on_the_order_of_the_manifest():
    config = DrawnProtocolConfig()
    manifest, pairs = listed(config)
    turned = manifest.subset(reversed(range(len(manifest))))
    again = config.pairs(turned)
    for one, other in ((pairs.left, again.left), (pairs.right, again.right)):
        assert [manifest.keys[row] for row in one] == [turned.keys[row] for row in other]
    assert config.pairs(manifest).digest == pairs.digest
    assert listed(DrawnProtocolConfig(seed=1))[1].digest != pairs.digest


def test_a_missing_image_is_named():
    config = DrawnProtocolConfig()
    manifest = config.dataset().manifest(CACHE)
    with pytest.raises(ValueError, match="person-01000/shot-000"):
        config.pairs(manifest.subset(range(1, len(manifest))))


def test_the_default_protocol_has_nobody_of_the_default_dataset():
    from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn

    train, test = Drawn().manifest(CACHE), DrawnProtocolConfig().dataset().manifest(CACHE)
    assert not set(train.identities) & set(test.identities)
    assert Drawn().namespace == DrawnProtocolConfig().dataset().namespace


@pytest.mark.parametrize("settings", [{"subjects": 20, "shots": 5}, {"subjects": 2, "shots": 17}, {"folds": 21}])
def test_more_genuine_pairs_than_there_are_are_refused(settings):
    with pytest.raises(ValidationError, match=r"genuine pairs, but .* raise subjects or shots"):
        DrawnProtocolConfig(**settings)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("settings", [{"subjects": 20, "shots": 6}, {"subjects": 2, "shots": 18, "pairs_per_fold": 60}])
def test_where_genuine_pairs_suffice_the_others_do_too(settings, share):
    assert len(listed(DrawnProtocolConfig(**settings, look_alike_share=share))[1]) == 600


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_an_occluder_is_worn_by_the_right_face_of_genuine_pairs_and_changes_nothing_else(share):
    settings = {"folds": 4, "pairs_per_fold": 40, "look_alike_share": 0.5}
    manifest, pairs = listed(DrawnProtocolConfig(**settings, occluder="mask", occluded_share=share))
    plain_manifest, plain = listed(DrawnProtocolConfig(**settings))
    right = [manifest.keys[row] for row in pairs.right]
    assert [name.removesuffix("-mask") for name in right] == [plain_manifest.keys[row] for row in plain.right]
    assert [manifest.keys[row] for row in pairs.left] == [plain_manifest.keys[row] for row in plain.left]
    wearing = np.array([name.endswith("-mask") for name in right])
    assert wearing.sum() == share * pairs.same.sum()
    assert pairs.same[wearing].all()
    assert np.array_equal(pairs.same, plain.same)


def test_the_region_is_known_for_look_alikes_and_occluded_pairs_and_for_no_others():
    config = DrawnProtocolConfig(
        folds=2, pairs_per_fold=40, look_alike_share=0.5, occluder="sunglasses", occluded_share=0.5, size=64
    )
    manifest, pairs = listed(config)
    faces = config.dataset().build(manifest)
    alike = {identity(number, part) for number, part in config.dataset().people() if part}
    known = 0
    for left, right, same in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.same.tolist(), strict=True):
        special = manifest.keys[right].endswith("-sunglasses") if same else manifest.identities[right] in alike
        for row, other in ((left, right), (right, left)):
            region = config.region(faces, row, other)
            assert (region is not None) == special
            if region is not None:
                assert region.shape == (64, 64)
                assert region.any()
                known += 1
    assert known == 2 * (20 + 20)


def test_settings_about_occluders_leave_older_identities_alone():
    assert not {"occluder", "occluded_share"} & set(DrawnProtocolConfig().identity())
    assert "occluder" not in DrawnProtocolConfig().dataset().identity()
