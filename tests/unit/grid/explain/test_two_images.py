"""Two images by themselves are explained as a pair of a grid is."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pair_networks import SIZE, images, network

from configs.lookup import resolve
from grid.explain.two_images import _maps, _Reference
from grid.stages.explain import target_of

TRAINING = SimpleNamespace(input=SimpleNamespace(pixels=SIZE))
NOTHING = cast(_Reference, SimpleNamespace(get=lambda: None, why=""))


def drawn(method: str, **fields: Any) -> Any:
    explainer = resolve("explainer", {"name": method, "pairs": 1, **fields})
    (found,) = _maps(network().eval(), explainer, images(2), TRAINING, NOTHING, None)
    return found


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("cosine", "cosine with the other image"),
        ("distance", "distance (1 - cosine) from the other image"),
    ],
)
def test_what_is_explained_is_what_was_asked_for(target: str, words: str) -> None:
    found = drawn("gradient_x_input", pair_target=target)
    assert found.about == (words,)
    net, both = network().eval(), images(2)
    explainer = resolve("explainer", {"name": "gradient_x_input", "pairs": 1, "pair_target": target})
    expected = explainer.build().explain(net, both, target_of(net, explainer, both, None), SIZE)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found.maps, expected.maps)


def test_distance_and_cosine_of_one_pair_point_opposite_ways() -> None:
    alike, apart = (drawn("integrated_gradients", pair_target=target).maps for target in ("cosine", "distance"))
    np.testing.assert_allclose(alike, -apart, rtol=0, atol=1e-6)
    assert np.abs(alike).max() > 1e-5
