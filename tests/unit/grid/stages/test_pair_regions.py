"""Regions of the full image, brought into the crop as the image is."""

from types import SimpleNamespace

import numpy as np
import pytest

from configs.lookup import resolve
from grid.spec.training import Input
from grid.stages.probes import pair_regions

SHAPES = {"a": (40, 60), "b": (40, 60), "c": (64, 64)}


class Manifest:
    def __init__(self, keys):
        self.keys = list(keys)
        self.heights = [SHAPES[key][0] for key in keys]
        self.widths = [SHAPES[key][1] for key in keys]

    def subset(self, rows):
        return Manifest([self.keys[row] for row in rows])


class Asked:
    """A protocol that knows where ``a`` and ``b`` differ from each other: in the rows 10 to 19, to the right of column 30."""

    title = "asked"

    def __init__(self, wrong=False):
        self.seen, self.wrong = [], wrong

    def region(self, dataset, row, other):
        keys = dataset.manifest.keys
        self.seen.append((keys[row], keys[other]))
        if {keys[row], keys[other]} != {"a", "b"}:
            return None
        found = np.zeros((5, 5) if self.wrong else SHAPES[keys[row]], bool)
        found[10:20, 30:] = True
        return found

    def common_region(self, dataset, row, other):
        found = self.region(dataset, row, other)
        return None if found is None else ~found


def context():
    resolver = SimpleNamespace(
        dataset=lambda protocol: SimpleNamespace(build=lambda manifest: SimpleNamespace(manifest=manifest)),
        manifest=lambda data: Manifest("abc"),
    )
    return SimpleNamespace(resolver=resolver, fast=False, device="cpu", detected=())


def regions(protocol, keys, detector, common=False, **pixels):
    training = SimpleNamespace(detector=resolve("detector", detector), input=Input(**pixels))
    return pair_regions(context(), training, protocol, keys, common)


def test_a_region_is_cut_and_enlarged_as_its_image_is():
    protocol = Asked()
    found = regions(protocol, ["a", "b", "b", "c"], {"name": "none"}, size=80, width=120)
    assert found.shape == (4, 80, 120)
    wanted = np.zeros((80, 120), bool)
    wanted[20:40, 60:] = True  # both sides are twice as long
    assert np.array_equal(found[0], wanted)
    assert np.array_equal(found[1], wanted)
    assert not found[2:].any()  # nobody knows where b differs from c
    assert protocol.seen == [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")]


def test_what_the_detector_leaves_out_is_left_out():
    found = regions(Asked(), ["a", "b"], {"name": "none", "fraction": 0.5}, size=40, width=60)
    wanted = np.zeros((40, 60), bool)
    wanted[0:20, 30:] = True  # the crop is rows 10 to 29, columns 15 to 44, enlarged twice
    assert np.array_equal(found[0], wanted)


def test_the_region_that_two_images_share_is_cut_as_they_are():
    found = regions(Asked(), ["a", "b", "b", "c"], {"name": "none"}, common=True, size=80, width=120)
    wanted = np.ones((80, 120), bool)
    wanted[20:40, 60:] = False
    assert np.array_equal(found[0], wanted)
    assert not found[2:].any()


def test_where_nobody_knows_anything_there_are_no_regions():
    assert regions(Asked(), ["a", "c"], {"name": "none"}, size=64) is None


def test_a_region_of_another_size_than_its_image_is_refused():
    with pytest.raises(ValueError, match=r"protocol asked: the region of a is \(5, 5\), and its image \(40, 60\)"):
        regions(Asked(wrong=True), ["a", "b"], {"name": "none"}, size=64)
