"""The evaluation of all pairs of as many images as LFW has, curve and file included: seconds, memory, the plain form."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from configs.lookup import resolve
from datamodules.evaluation_sets.templates import Clustering
from datamodules.manifest import Manifest
from grid.evaluation.evaluator import Embedded
from grid.evaluation.task import evaluation_task

IMAGES, SUBJECTS, DIMENSION = 13_233, 5_749, 128
SMALL = 3_000
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import resource, sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests/bench"]
from test_all_pairs_bench import IMAGES, evaluated, images
vectors, who = images(IMAGES)
before = time.process_time()
seconds, metrics = evaluated(vectors, who, Path(sys.argv[2]))
spent = time.process_time() - before
found = metrics["auc"]["value"], metrics["tar"]["1e-06"]["value"], metrics["eer"]["value"]
print(metrics["pairs"], seconds, spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, *found)
"""


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings, float32, and subjects, with as many images of each as in a long-tailed collection."""
    rng = np.random.default_rng(0)
    who = np.sort(np.concatenate([np.arange(min(SUBJECTS, count)), rng.zipf(2.0, max(0, count - SUBJECTS)) % SUBJECTS]))
    vectors = rng.normal(size=(count, DIMENSION)) + 1.2 * rng.normal(size=(SUBJECTS, DIMENSION))[who]
    return vectors.astype(np.float32), who


def evaluated(vectors: np.ndarray, who: np.ndarray, folder: Path) -> tuple[float, dict[str, Any]]:
    """Seconds and metrics of the evaluation that a cell runs after its embeddings."""
    count = len(who)
    sides, digests = (1,) * count, tuple(f"{row:064x}" for row in range(count))
    manifest = Manifest(tuple(f"{row}.jpg" for row in range(count)), tuple(map(str, who)), sides, sides, digests)
    protocol: Any = resolve("protocol", {"name": "all_pairs", "data": {"name": "drawn"}})
    rows = np.arange(count)
    before = time.perf_counter()
    seen = Embedded(manifest, rows, vectors, folder)
    found = evaluation_task("all_pairs").evaluate(Clustering(rows, who), seen, protocol)
    return time.perf_counter() - before, dict(found.metrics)


def plain(vectors: np.ndarray, who: np.ndarray) -> float:
    """AUC over all pairs: one matrix, one sort of everything with its labels."""
    units = vectors.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    left, right = np.triu_indices(len(units), 1)
    scores, same = (units @ units.T)[left, right], who[left] == who[right]
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    genuine = int(same.sum())
    return float((ranks[same].sum() - genuine * (genuine + 1) / 2) / (genuine * (len(same) - genuine)))


def test_all_pairs_of_lfw_are_evaluated_faster_than_the_plain_form_within_a_gigabyte_and_a_half(tmp_path: Path) -> None:
    vectors, who = images(SMALL)
    who[: SMALL // 2] = who[SMALL // 2 : 2 * (SMALL // 2)]  # enough genuine pairs
    before = time.perf_counter()
    expected = plain(vectors, who)
    theirs = time.perf_counter() - before
    ours, metrics = evaluated(vectors, who, tmp_path)
    assert abs(metrics["auc"]["value"] - expected) < 1e-6  # scores are rounded to float32
    (tmp_path / "whole").mkdir()
    reported = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), str(tmp_path / "whole")],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    ).stdout.split()
    pairs, seconds, spent, gigabytes = int(reported[0]), *map(float, reported[1:4])
    print(f"\n{SMALL} images: {theirs / ours:.1f} times as fast as the plain form ({theirs:.2f} s, {ours:.2f} s)")
    print(f"{IMAGES} images: {pairs:,} pairs in {seconds:.1f} s ({spent:.1f} s of processor time) with {gigabytes:.2f} GiB")
    print(f"AUC, TAR at 1e-6, EER: {', '.join(reported[4:])}")
    assert pairs == 87_549_528
    assert pq.read_metadata(tmp_path / "whole" / "roc.parquet").num_rows > 1000
    assert ours < theirs
    assert gigabytes < 1.5
