import json
from functools import partial

import numpy as np
import pytest
import torch
from explained import SAME, paired, single, together
from pair_networks import SIZE, unchanged

from modules.attribution.explainer import Attribution, Explainer, Refused
from modules.attribution.sanity_checks import check_images, check_pairs
from modules.explanation_metrics.sanity import SanityConfig


class Edges(Explainer):
    """Brightness steps of the image; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def explain(self, network, images, target, size):
        self.asked.append((images, target))
        return Attribution(images.mean(1).diff(dim=1).abs().numpy().astype(np.float32), "", (0, 0, 0), target.words)


class Deaf:
    """An explainer's config that builds ``Edges``."""

    pair_target = "cosine"

    def __init__(self):
        self.built = Edges()

    def build(self):
        return self.built


def test_single_images_are_checked_as_by_the_function_itself():
    explained = single()
    unchanged(explained.network, lambda: SanityConfig(depths=1).build().score(explained))
    found = SanityConfig(depths=1).build().score(explained)
    direct = check_images(
        explained.explainer.build(), explained.network, explained.images, explained.target, SIZE, SanityConfig(depths=1)
    )
    assert found["details"] == direct
    assert found["flags"] == direct["flags"]
    assert found["maps"][""]["parameters"]["value"] == direct["cascading"][-1]["rho"][""]["mean"]
    json.dumps(found, allow_nan=False)


def test_a_map_that_ignores_everything_is_stamped():
    found = SanityConfig(depths=1).build().score(single(explainer=Deaf()))
    assert found["flags"] == {"": ["parameter-insensitive", "target-insensitive"]}
    assert found["maps"][""]["target"]["value"] == 1.0


def test_no_image_of_a_pair_is_swapped_for_itself():
    explained = paired(explainer=Deaf())
    SanityConfig(depths=1).build().score(explained)
    images, swapped = explained.explainer.built.asked[-1]
    codes = explained.network.embed(images).detach()
    assert len(images) == 12
    likeness = torch.cosine_similarity(swapped.references, codes)
    assert likeness.max() < 0.9999


def test_at_most_so_many_images_of_both_kinds_are_looked_at():
    explained = paired(explainer=Deaf())
    found = SanityConfig(depths=1, most=4).build().score(explained)
    assert found["count"] == 2
    images, _ = explained.explainer.built.asked[0]
    assert torch.equal(images, explained.images[[0, 6, 1, 7]])  # the first genuine pair and the first impostor pair
    assert SanityConfig(depths=1, most=4).build().score(single(explainer=Deaf()))["count"] == 4


def test_pair_methods_are_checked_as_by_the_function_itself():
    explained = together("stylianou", maps={"similarity": np.zeros((12, 2, 2), np.float32)})
    found = SanityConfig(depths=1).build().score(explained)
    given = explained.images
    explainer = explained.explainer.build()
    direct = check_pairs(explainer, explained.network, given[0::2], given[1::2], SIZE, None, settings=SanityConfig(depths=1))
    assert found["details"] == direct
    assert set(found["maps"]["similarity"]) == {"parameters", "target"}


def test_a_method_of_genuine_pairs_is_checked_on_those_that_have_maps():
    names = {name: np.zeros((12, 4, 4), np.float32) for name in ("minplus", "removal", "aggregation")}
    explained = together("minplus", config={"stride": 12}, maps=names, missing=frozenset({3, 4, 5}))
    found = SanityConfig(depths=1).build().score(explained)
    assert (found["count"], found["missing"]) == (3, 3)
    assert set(found["flags"]) == set(names)
    assert SAME[:3].all()


@pytest.mark.parametrize("make", [partial(together, "stylianou"), partial(paired, explainer=Deaf())])
def test_one_pair_alone_cannot_be_swapped(make):
    explained = make(missing=frozenset(range(1, 6)))
    with pytest.raises(Refused) as caught:
        SanityConfig().build().score(explained)
    assert caught.value.code == "no_swap"
