"""Methods announce each image or pair that they have explained."""

from typing import Any

import pytest
import torch
from pair_networks import SIZE, images, network

from configs.lookup import resolve
from modules.attribution.explainer import Reference
from modules.attribution.progress import announced, listening
from modules.attribution.targets import Cosine


def test_items_are_announced_after_they_were_processed() -> None:
    said: list[Any] = []
    with listening(lambda done, total: said.append((done, total))):
        for item in announced(["a", "b", "c"]):
            said.append(item)
    assert said == ["a", (1, 3), "b", (2, 3), "c", (3, 3)]
    assert list(announced("ab")) == ["a", "b"], "nobody listens"
    assert len(said) == 6


PAIR_METHODS = {
    "fggb": {"threshold": 0.3},
    "xssab": {"threshold": 0.3},
    "corr_rise": {"masks": 4, "side": 4, "fill": "gray"},
    "pair_occlusion": {"patch": 8, "stride": 8, "fill": "gray"},
    "minplus": {"width": 4, "stride": 8, "fill": "gray"},
    "reconstruction": {"threshold": 0.3},
}


@pytest.mark.parametrize("name", PAIR_METHODS)
def test_slow_methods_announce_every_pair(name: str) -> None:
    net, said = network("gmp", decodes=True).eval(), []
    left, right = images(3), images(3, seed=2)
    reference = Reference(images(4, seed=3), images(4, seed=4), torch.tensor([True, False] * 2), torch.zeros(3))
    method: Any = resolve("explainer", {"name": name, **PAIR_METHODS[name]}).build()
    more = {"same": torch.ones(3, dtype=torch.bool)} if method.asks else {}
    with listening(lambda done, total: said.append((done, total))):
        method.explain(net, left, right, SIZE, reference, **more)
    assert said == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("name", ["lime", "score_cam"])
def test_slow_methods_announce_every_image(name: str) -> None:
    net, said = network("gmp").eval(), []
    given = images(2)
    fields: dict[str, Any] = {"lime": {"samples": 8, "segments": 4}, "score_cam": {"min_side": 1}}[name]
    method: Any = resolve("explainer", {"name": name, **fields}).build()
    with torch.no_grad():
        target = Cosine(net.embed(images(2, seed=2)))
    with listening(lambda done, total: said.append((done, total))):
        method.explain(net, given, target, SIZE)
    assert said == [(1, 2), (2, 2)]
