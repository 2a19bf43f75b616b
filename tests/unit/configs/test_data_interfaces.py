"""A dataset of the user's sets a member of its base class in each way that Python has for it."""

from typing import ClassVar, Literal

import pytest

from configs.data_interfaces import DatasetConfig


class Mine(DatasetConfig):
    name: Literal["mine"] = "mine"

    @property
    def namespace(self):
        return "mine"

    def manifest(self, cache):
        return None

    scan = build = manifest


class Plain(Mine):
    identified = False


class Marked(Mine):
    identified: ClassVar[bool] = False


class Computed(Mine):
    @property
    def identified(self):
        return False


@pytest.mark.parametrize("kind", [Plain, Marked, Computed])
def test_a_dataset_says_in_each_way_that_its_images_have_no_identities(kind):
    assert kind().identified is False
    assert Mine().identified is True
