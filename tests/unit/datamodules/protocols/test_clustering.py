import numpy as np
import pytest

from configs.lookup import resolve

DRAWN = {"name": "drawn", "subjects": 10, "shots": 4}


def config(**more):
    return resolve("protocol", {"name": "clustering", "data": DRAWN, **more})


@pytest.fixture
def manifest(tmp_path):
    return config().dataset().manifest(tmp_path)


def test_all_images_with_their_subjects(manifest):
    found = config().clustering(manifest)
    assert found.rows.tolist() == list(range(40))
    people = sorted(set(manifest.identities))
    assert [people[label] for label in found.labels] == list(manifest.identities)
    assert config().task == "clustering"


def test_so_many_subjects_and_images(manifest):
    found = config(subjects=3, images=2).clustering(manifest)
    assert np.bincount(found.labels).tolist() == [2, 2, 2]
    assert (np.diff(found.rows) > 0).all()


def test_more_subjects_contain_fewer(manifest):
    people = [{manifest.identities[row] for row in config(subjects=count).clustering(manifest).rows} for count in (3, 6)]
    assert people[0] < people[1]


def test_it_does_not_depend_on_the_order_of_the_dataset(manifest):
    mixed = manifest.subset(np.random.default_rng(0).permutation(40))
    one, other = config(subjects=4, images=3), manifest
    assert {manifest.keys[row] for row in one.clustering(other).rows} == {mixed.keys[row] for row in one.clustering(mixed).rows}
    assert config(subjects=4, seed=1).clustering(manifest).digest != config(subjects=4).clustering(manifest).digest


def test_what_cannot_be_is_refused(manifest):
    with pytest.raises(ValueError, match="10 of 10 subjects have 2 images, 11 are needed"):
        config(subjects=11).clustering(manifest)
    with pytest.raises(ValueError, match="0 of 10 subjects have 5 images"):
        config(at_least=5).clustering(manifest)
    with pytest.raises(ValueError, match="at most 1 of each subject, but at_least asks for 2"):
        config(images=1)
