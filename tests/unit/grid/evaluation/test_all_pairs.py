"""All-to-all verification as an evaluation task."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from configs.lookup import resolve
from datamodules.evaluation_sets.templates import Clustering
from datamodules.manifest import Manifest
from grid.evaluation.evaluator import Embedded
from grid.evaluation.task import evaluation_task

RNG = np.random.default_rng(0)
WHO = np.repeat(np.arange(20), 5)
VECTORS = 3 * RNG.normal(size=(20, 6))[WHO] + 3 * RNG.normal(size=(100, 6))


def test_rates_are_those_of_all_pairs_and_dropped_images_are_counted(tmp_path: Path) -> None:
    keys = tuple(f"{who}/{row}" for row, who in enumerate(WHO))
    manifest = Manifest(keys, tuple(map(str, WHO)), (1,) * 100, (1,) * 100, tuple(f"{n:064x}" for n in range(100)))
    task, protocol = evaluation_task("all_pairs"), resolve("protocol", {"name": "all_pairs", "data": {"name": "drawn"}})
    asked = Clustering(np.arange(100), WHO)
    assert task.rows(asked).tolist() == list(range(100))
    kept = np.arange(2, 100)
    found = task.evaluate(asked, Embedded(manifest, kept, VECTORS[kept], tmp_path), protocol)
    units = VECTORS[kept] / np.linalg.norm(VECTORS[kept], axis=1, keepdims=True)
    left, right = np.triu_indices(98, 1)
    scores = (units @ units.T)[left, right]
    same = WHO[kept][left] == WHO[kept][right]
    metrics: Any = found.metrics
    assert metrics["auc"]["value"] == pytest.approx(roc_auc_score(same, scores), abs=1e-6)
    limit = np.sort(scores[~same])[-(int((~same).sum() * 0.01)) - 1]
    assert metrics["tar"]["0.01"]["value"] == pytest.approx((scores[same] > limit).mean(), abs=1e-6)
    assert metrics["tar"]["1e-06"]["value"] is None
    assert "cannot show" in metrics["tar"]["1e-06"]["reason"]
    assert found.facts["dropped_images"] == 2
    assert "tar:0.001" in [measure.key for measure in task.measures([metrics])]
    roc = pq.read_table(tmp_path / "roc.parquet").to_pandas()
    assert roc.tar.is_monotonic_increasing
    assert roc.tar.iloc[-1] == 1
    for far, tar, threshold in roc[["far", "tar", "threshold"]].iloc[::50].itertuples(index=False):
        rounded = scores.astype(np.float32)
        assert ((rounded[~same] >= threshold).mean(), (rounded[same] >= threshold).mean()) == pytest.approx(
            (far, tar), abs=2e-3
        )
