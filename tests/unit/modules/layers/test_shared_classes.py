"""Ranks that divide the classes compute what one process computes: values, gradients, steps, and predictions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ranks import together

from configs.lookup import resolve
from modules.layers.shared_classes import ClassSlice

CLASSES, DIMENSION, IMAGES = 7, 6, 11
CASES: list[dict[str, Any]] = [
    {"name": "arcface"},
    {"name": "arcface", "variant": "clipped", "easy_margin": True},
    {"name": "arcface", "sample": 0.3},
    {"name": "cosface", "scale": 16},
    {"name": "cosface", "sample": 0.6},
    {"name": "adaface"},
    {"name": "magface", "lowest_norm": 0.5, "highest_norm": 3},
    {"name": "curricularface"},
    {"name": "mv_softmax"},
    {"name": "elasticface"},
    {"name": "elasticface", "sample": 0.6},
    {"name": "elasticface", "plus": True, "deviation": 0.1},
    {"name": "subcenter_arcface", "centers": 2},
]
PROGRAM = """
import torch
from modules.layers.gathering import gathered
from modules.layers.margin_softmax import keep_unsampled

def example(step):
    draw = torch.Generator().manual_seed(step)
    embeddings = torch.randn(11, 6, generator=draw)
    labels = torch.randint(5, (11,), generator=draw)  # of seven classes, so that some have no image
    return embeddings, labels

def train(config, early=False):
    torch.manual_seed(0)
    loss = config.build(6, 7)
    torch.nn.init.normal_(loss.weight)
    number, world = (rank.number, rank.world) if rank else (0, 1)
    if rank:
        loss.share(number, world)
    optimizer = torch.optim.AdamW(loss.parameters(), 0.05, weight_decay=0.1)
    keep_unsampled(loss, optimizer)
    values, gradients, rows = [], [], []
    for step in range(3):
        embeddings, labels = example(step)
        own = embeddings[number::world].clone().requires_grad_()
        torch.manual_seed(step)
        optimizer.zero_grad()
        if early:
            loss.draw(labels, step)
        value = loss(gathered(own), gathered(labels[number::world]))
        value.backward()
        values.append(float(value.detach()))
        gradients.append(own.grad / world)  # see modules.layers.gathering
        rows.append(loss.weight.grad.clone())
        optimizer.step()
    return values, gradients, rows, loss.weight.detach().clone(), loss, example(7)

def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return all(map(same, one, other)) if isinstance(one, list) else one == other

result = []
for config in configs:
    *found, loss, (embeddings, labels) = train(config)
    *again, _, _ = train(config, early=True) if rank else (*found, None, None)
    assert same(found, again), "classes that are sampled early are the same"
    loss.eval()
    if rank:
        losses, predicted = loss.classified(embeddings, labels)
    else:
        logits = loss.logits(embeddings)
        losses, predicted = torch.nn.functional.cross_entropy(logits, labels, reduction="none"), logits.argmax(1)
    assert not losses.requires_grad or not rank
    result.append((*found, losses.detach(), predicted, float(loss(embeddings, labels).detach()), len(loss.weight)))
"""


@pytest.fixture(scope="module")
def alone() -> list[Any]:
    names: dict[str, Any] = {"rank": None, "configs": configs()}
    with torch.random.fork_rng():
        exec(compile(PROGRAM, "<program>", "exec"), names)
    return list(names["result"])


def configs() -> list[Any]:
    return [resolve("loss", settings) for settings in CASES]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_that_share_the_classes_equal_one_process(alone: list[Any], tmp_path: Any, world: int) -> None:
    found = together(tmp_path, world, PROGRAM, configs=configs())
    for case, settings in enumerate(CASES):
        values, gradients, rows, weight, losses, predicted, validated, count = alone[case]
        ranks = [one[case] for one in found]
        assert sum(one[7] for one in ranks) == count
        assert max(one[7] for one in ranks) < count, "no rank has all"
        for number, one in enumerate(ranks):
            assert one[0] == pytest.approx(values, rel=1e-5, abs=1e-5), settings
            for whole, part in zip(gradients, one[1], strict=True):
                torch.testing.assert_close(part, whole[number::world], rtol=1e-5, atol=1e-5, msg=str(settings))
            torch.testing.assert_close(one[4], losses, rtol=1e-5, atol=1e-5, msg=str(settings))
            assert one[5].tolist() == predicted.tolist()
            assert one[6] == pytest.approx(validated, rel=1e-5, abs=1e-5)
        for step, whole in enumerate(rows):
            together_rows = torch.cat([one[2][step] for one in ranks])
            torch.testing.assert_close(together_rows, whole, rtol=1e-5, atol=1e-5, msg=str(settings))
            assert whole.abs().max() > 1e-3, "there is a gradient to compare"
        torch.testing.assert_close(torch.cat([one[3] for one in ranks]), weight, rtol=1e-4, atol=1e-5, msg=str(settings))


def test_slices_cover_the_classes_and_differ_by_one_at_most() -> None:
    for classes in range(1, 30):
        for world in range(1, min(classes, 6) + 1):
            parts = [ClassSlice(classes, rank, world) for rank in range(world)]
            assert [name for part in parts for name in range(part.start, part.stop)] == list(range(classes))
            assert max(part.stop - part.start for part in parts) == -(-classes // world)
            assert min(part.stop - part.start for part in parts) == classes // world


def test_a_slice_finds_its_own_sampled_classes() -> None:
    part = ClassSlice(10, 1, 3)  # 3, 4, 5
    assert part.own(torch.tensor([0, 3, 5, 6, 9])).tolist() == [0, 2]


def test_fewer_classes_than_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="2 training identities cannot be divided between 3 devices"):
        ClassSlice(2, 0, 3)
