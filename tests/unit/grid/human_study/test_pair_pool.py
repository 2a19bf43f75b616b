from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq
import pytest

from grid.human_study.pair_pool import read_pool
from grid.ledger.study import Study
from grid.spec.grid_file import BadInput

WHERE = {"backbone": ["alexnet"], "detection": ["mtcnn"], "pretraining": ["none"]}


def test_the_pool_has_each_pair_once_with_its_score(make_study: Callable[..., Study]) -> None:
    study = make_study(pairs=100)
    pool = read_pool(study, WHERE, "lfw view 2")
    marker = next(pool.cell.markers[name] for name in pool.cell.names if name.kind == "evaluate")
    table = pq.read_table(study.ledger.path(marker, "scores.parquet")).to_pylist()
    naive: dict[frozenset[str], dict] = {}  # the invented pairs are the same forwards and backwards
    for row in table:
        naive.setdefault(frozenset((row["left"], row["right"])), row)
    assert len(pool.keys) == len(naive) == 50
    assert [tuple(pair) for pair in pool.keys] == [(row["left"], row["right"]) for row in naive.values()]
    assert np.array_equal(pool.scores, [row["score"] for row in naive.values()])
    assert pool.same.tolist() == [row["same"] for row in naive.values()]
    assert pool.threshold == study.ledger.json(marker, "metrics.json")["best_threshold"]["threshold"]
    assert len(pool.checkpoint) == 64


def test_what_is_not_there_is_named_with_what_is(make_study: Callable[..., Study]) -> None:
    study = make_study(pairs=60)
    with pytest.raises(BadInput, match=r"'sllfw': .* no finished evaluation .* \(there: lfw view 2\)"):
        read_pool(study, WHERE, "sllfw")
    with pytest.raises(BadInput, match=r"selects 12 cells .* a human study takes one cell"):
        read_pool(study, {}, "lfw view 2")
