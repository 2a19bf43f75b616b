import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.manifest import Manifest

DRAWN = {"name": "drawn", "subjects": 10, "shots": 4}


def config(**more):
    return resolve("protocol", {"name": "identification", "data": DRAWN, **more})


@pytest.fixture
def manifest(tmp_path):
    return config().dataset().manifest(tmp_path)


def mated(found):
    """Whether each probe's subject is in the gallery."""
    labels = found.templates.labels
    return np.isin(labels[found.probes], labels[found.galleries[0]])


def named(found, manifest):
    """Each template as (subject, images), so that two orders of a dataset can be compared."""
    images = [
        frozenset(manifest.keys[row] for row in found.templates.rows[found.templates.template == place])
        for place in range(len(found.templates))
    ]
    return {images[place] for place in found.galleries[0]}, {images[place] for place in found.probes}


def test_everybody_is_in_the_gallery_once_and_the_other_images_are_probes(manifest):
    found = config(gallery=2).identification(manifest)
    assert len(found.galleries) == 1
    assert len(found.galleries[0]) == 10
    assert len(found.probes) == 20
    assert sorted(found.templates.rows.tolist()) == list(range(40))
    assert mated(found).all()
    people = sorted(set(manifest.identities))
    for row, place in zip(found.templates.rows, found.templates.template, strict=True):
        assert people[found.templates.labels[place]] == manifest.identities[row]
    assert set(np.bincount(found.templates.template)[found.galleries[0]]) == {2}


def test_a_share_of_the_subjects_are_non_mated(manifest):
    found = config(unknown=0.3).identification(manifest)
    assert len(found.galleries[0]) == 7
    assert int((~mated(found)).sum()) == 3 * 4
    assert int(mated(found).sum()) == 7 * 3


def test_probes_may_be_limited(manifest):
    found = config(probes=1, unknown=0.5).identification(manifest)
    assert len(found.probes) == 10


def test_it_does_not_depend_on_the_order_of_the_dataset(manifest):
    mixed = manifest.subset(np.random.default_rng(0).permutation(len(manifest)))
    one, other = config(unknown=0.3).identification(manifest), config(unknown=0.3).identification(mixed)
    assert named(one, manifest) == named(other, mixed)
    assert one.digest == config(unknown=0.3).identification(manifest).digest
    assert named(config(seed=1).identification(manifest), manifest) != named(config().identification(manifest), manifest)


def test_subjects_with_few_images_are_nobody_or_non_mated(manifest):
    few = manifest.subset([0, 4, 8, 12, 13, 14, 15, *range(16, 40)])  # three subjects have one image
    assert len(config().identification(few).galleries[0]) == 7
    assert mated(config().identification(few)).all()
    found = config(few="unknown").identification(few)
    assert int((~mated(found)).sum()) == 3


def test_nobody_with_images_enough_is_refused(manifest):
    with pytest.raises(ValueError, match="protocol identification: no subject has more than 4 images"):
        config(gallery=4).identification(manifest)
    with pytest.raises(ValueError, match="no subject has more than 1"):
        config().identification(Manifest((), (), (), (), ()))


def test_if_all_subjects_with_enough_images_are_unknown_the_message_names_the_setting(manifest):
    with pytest.raises(
        ValueError, match=r"unknown: 0\.99 leaves none of the 10 subjects with more than \d images in the gallery"
    ):
        config(unknown=0.99).identification(manifest)
