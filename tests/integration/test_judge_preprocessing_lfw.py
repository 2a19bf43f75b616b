"""The trial of preprocessing on 120 photographs of 60 subjects of LFW and the public MobileFaceNet.

A wrong order, a wrong range and missing alignment are named; what is right is not, whatever the network expects.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from public_mobilefacenet import SIZE, network

from configs.lookup import resolve
from grid.judge.preprocessing import RANGES, Preprocessing
from grid.judge.sample import Sample
from grid.judge.survey import Finding, survey
from grid.plan.inputs import InputResolver
from modules.backbones.external import ExternalConfig, FileNetwork
from modules.layers.normalize import unit

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]
FACES = ("similarity", "none")
BY_255 = RANGES["x / 255"]
RIGHT = Preprocessing(size=SIZE)
WRONG = {
    "order": replace(RIGHT, order="bgr"),
    "range": replace(RIGHT, mean=BY_255[0], std=BY_255[1]),
    "faces": replace(RIGHT, faces="none"),
}
EXPECTED = {  # what a network expects -> its input as the input of the public network, RGB in [-1, 1]
    RIGHT: lambda images: images,
    replace(RIGHT, order="bgr", mean=BY_255[0], std=BY_255[1]): lambda images: 2 * images.flip(1) - 1,
}


@dataclass
class Trials:
    sample: Sample
    embed: Callable[[torch.Tensor], torch.Tensor]

    def __post_init__(self) -> None:
        self.known: dict[Any, np.ndarray] = {}
        self.crops = cache(
            lambda faces: torch.from_numpy(self.sample.crops(faces, SIZE)).permute(0, 3, 1, 2).float() / 127.5 - 1
        )

    def findings(self, start: Preprocessing, expected: Preprocessing, stated: Collection[str] = ()) -> list[Finding]:
        """What is tried for a network that expects ``expected``."""

        def score(how: Preprocessing) -> np.ndarray:
            if (how, expected) not in self.known:
                network = FileNetwork(ExternalConfig(path=Path("a.onnx"), **how.of_network()))
                prepared = network.prepared(self.crops(how.faces))
                vectors = unit(self.embed(EXPECTED[expected](prepared)).double()).numpy()
                self.known[how, expected] = vectors @ vectors.T
            return self.known[how, expected]

        return survey(start, self.sample.subjects, score, {"faces": FACES}, ["faces", "range", "order"], stated)[1]


@pytest.fixture(scope="module")
def trials(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Trials:
    data = {"name": "folder", "root": str(shared / "data" / "lfw" / "images"), "min_images": 2, "subjects": 60}
    protocol: Any = resolve("protocol", {"name": "pairs_of", "data": data, "images": 2})
    resolver = InputResolver(tmp_path_factory.mktemp("store"))
    resolver.scan(protocol.dataset())
    sample, whole = Sample(protocol, resolver), network(shared)
    assert len(sample.images) == 120
    assert len(set(sample.subjects)) == 60

    def embed(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return torch.cat([whole(part) for part in images.split(8)])  # larger ones spend half their time on memory

    return Trials(sample, embed)


@pytest.mark.parametrize("part", WRONG)
def test_one_wrong_part_is_named_and_no_other(trials: Trials, part: str) -> None:
    found = trials.findings(WRONG[part], RIGHT, [part])
    assert [one.part for one in found if one.wrong] == [part], [one.words for one in found]
    (wrong,) = (one for one in found if one.wrong)
    assert wrong.best in {RIGHT.choice(part), "(x - 127.5) / 128"}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda one: one.words)
def test_what_is_right_is_never_named(trials: Trials, expected: Preprocessing) -> None:
    """Also of a network that expects BGR and x / 255: the same weights behind another first step."""
    found = trials.findings(expected, expected)
    assert not [one.words for one in found if one.wrong]
    for one in found:
        right, *others = one.tried
        assert all(right.distance > 1.02 * other.distance for other in others if "127.5" not in other.choice), one.words
