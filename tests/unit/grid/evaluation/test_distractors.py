"""Identification among distractors as an evaluation task."""

import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.evaluation_sets.templates import Clustering
from datamodules.manifest import Manifest
from datamodules.split import draw
from grid.evaluation.distractors import sizes_of
from grid.evaluation.evaluator import Embedded
from grid.evaluation.task import evaluation_task

RNG = np.random.default_rng(0)
WHO = np.concatenate([np.repeat(np.arange(8), 4), np.arange(8, 68)])
VECTORS = 2 * RNG.normal(size=(68, 6))[WHO] + RNG.normal(size=(len(WHO), 6))
GONE = (0, 4, 5, 6, 40)  # one image of subject 0, all but one of subject 1, one distractor


def manifest() -> Manifest:
    keys, count = tuple(f"{who}/{row}" for row, who in enumerate(WHO)), len(WHO)
    return Manifest(keys, tuple(map(str, WHO)), (1,) * count, (1,) * count, tuple(f"{n:064x}" for n in range(count)))


def test_ranks_are_those_of_a_plain_search_with_intervals_over_subjects(tmp_path):
    count, keys = len(WHO), manifest().keys
    protocol = resolve("protocol", {"name": "distractors", "data": "drawn", "seed": 3})
    kept = np.setdiff1d(np.arange(count), GONE)
    task = evaluation_task("distractors")
    asked = Clustering(np.arange(count), WHO)
    assert task.rows(asked).tolist() == list(range(count))
    found = task.evaluate(asked, Embedded(manifest(), kept, VECTORS[kept], tmp_path), protocol)
    units = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    joining = sorted((row for row in kept if WHO[row] >= 8), key=lambda row: draw(3, keys[row]))
    assert list(found.metrics["rank1"]) == ["10", "59"]
    for size in (10, 59):
        ahead = []
        for row in kept:
            mates = [other for other in kept if other != row and WHO[other] == WHO[row] < 8]
            scores = units[joining[:size]] @ units[row]
            ahead += [int((scores >= units[row] @ units[mate]).sum()) for mate in mates]
        assert found.metrics["searches"] == len(ahead) == 6 * 4 * 3 + 3 * 2
        for rank in (1, 10):
            entry = found.metrics[f"rank{rank}"][str(size)]
            assert entry["value"] == pytest.approx(np.mean(np.array(ahead) < rank), abs=1e-12)
            assert entry["low"] <= entry["value"] <= entry["high"]
    assert found.metrics["rank1"]["59"]["value"] < found.metrics["rank1"]["10"]["value"]
    assert found.facts["dropped_images"] == len(GONE)
    titles = {one.title: one.headline for one in task.measures([found.metrics])}
    assert titles["Rank 1 @ 59 distractors"]
    assert not titles["Rank 1 @ 10 distractors"]


@pytest.mark.parametrize("left", [WHO < 8, WHO >= 8])
def test_where_no_probe_or_no_distractor_has_a_face_the_counts_are_said(tmp_path, left):
    protocol, kept = resolve("protocol", {"name": "distractors", "data": "drawn"}), np.flatnonzero(left)
    seen = Embedded(manifest(), kept, VECTORS[kept], tmp_path)
    with pytest.raises(ValueError, match=r"of 92 images, \d+ were left out .* leaves (32|0) of probe subjects and (0|60) dist"):
        evaluation_task("distractors").evaluate(Clustering(np.arange(len(WHO)), WHO), seen, protocol)


def test_sizes_grow_by_tens_up_to_all():
    assert sizes_of((), 4069) == [10, 100, 1000, 4069]
    assert sizes_of((), 10) == [10]
    assert sizes_of((500, 20), 100) == [20, 100]
