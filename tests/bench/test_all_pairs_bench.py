"""All-to-all on as many images as LFW has: seconds as a ratio to the plain form, and memory."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from modules.metrics.all_pairs import all_pairs

IMAGES, SUBJECTS, DIMENSION = 13_233, 5_749, 128
SMALL = 3_000
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import resource, sys, time
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests/bench"]
from test_all_pairs_bench import IMAGES, images
from modules.metrics.all_pairs import all_pairs
units, who = images(IMAGES)
before = time.perf_counter()
curve = all_pairs(units, who)
found = curve.auc(), curve.val(1e-6)[0], curve.eer()[0]
print(curve.pairs, time.perf_counter() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, *found)
"""


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of unit length and subjects, with as many images of each as in a long-tailed collection."""
    rng = np.random.default_rng(0)
    who = np.sort(np.concatenate([np.arange(min(SUBJECTS, count)), rng.zipf(2.0, max(0, count - SUBJECTS)) % SUBJECTS]))
    units = rng.normal(size=(count, DIMENSION)) + 1.2 * rng.normal(size=(SUBJECTS, DIMENSION))[who]
    return units / np.linalg.norm(units, axis=1, keepdims=True), who


def plain(units: np.ndarray, who: np.ndarray) -> float:
    """AUC over all pairs: one matrix, one sort of everything with its labels."""
    left, right = np.triu_indices(len(units), 1)
    scores, same = (units @ units.T)[left, right], who[left] == who[right]
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    genuine = int(same.sum())
    return float((ranks[same].sum() - genuine * (genuine + 1) / 2) / (genuine * (len(same) - genuine)))


def test_all_pairs_of_lfw_take_seconds_and_less_than_a_gigabyte_and_a_half() -> None:
    units, who = images(SMALL)
    who[: SMALL // 2] = who[SMALL // 2 : 2 * (SMALL // 2)]  # enough genuine pairs
    before = time.perf_counter()
    expected = plain(units, who)
    theirs = time.perf_counter() - before
    before = time.perf_counter()
    found = all_pairs(units, who).auc()
    ours = time.perf_counter() - before
    assert abs(found - expected) < 1e-6  # scores are rounded to float32
    reported = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT)], capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout.split()
    pairs, seconds, gigabytes = int(reported[0]), float(reported[1]), float(reported[2])
    print(f"\n{SMALL} images: {theirs / ours:.1f} times as fast as the plain form ({theirs:.2f} s, {ours:.2f} s)")
    print(f"{IMAGES} images: {pairs:,} pairs in {seconds:.1f} s with {gigabytes:.2f} GiB; AUC, TAR at 1e-6, EER {reported[3:]}")
    assert pairs == 87_549_528
    assert ours < theirs
    assert gigabytes < 1.5
