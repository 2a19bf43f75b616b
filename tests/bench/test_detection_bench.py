"""Detection: as fast as its peers, and the same bytes whatever the grouping, the order, the threads and the shards.

The peer is facenet-pytorch as it comes, all at once on images of equal size, one by one on others, with as many threads.
Repetitions take turns; medians are compared: of the time that passes on two threads, and on one thread of the processor's time,
which neighbors on the machine disturb less.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BARS = {"equal": 1.0, "mixed": 1.7}  # times the peer's images per second
SPEED = """
import json, sys, time
from pathlib import Path
from statistics import median
import numpy as np
import torch
from facenet_pytorch import MTCNN
from datamodules.detectors.mtcnn import MTCNNConfig
from datamodules.images import read_image

threads = int(sys.argv[2])
torch.set_num_threads(threads)
clock = time.process_time if threads == 1 else time.perf_counter
files = sorted(Path(sys.argv[1]).glob("*/*.jpg"))[::800][:16]
equal = [read_image(file) for file in files]
rng = np.random.default_rng(0)
mixed = [image[: 250 - cut, : 250 - more].copy() for image, cut, more in zip(equal, *rng.integers(0, 60, (2, 16)), strict=True)]
ours = MTCNNConfig().build()
peer = MTCNN(selection_method="center_weighted_size")

def one_by_one(images):
    return [peer.detect(image, landmarks=True) for image in images]

def at_once(images):
    return peer.detect(np.stack(images), landmarks=True)

turns = {
    "equal": (ours.detect, at_once, equal),
    "mixed": (ours.detect, one_by_one, mixed),
}
found = {}
for name, (mine, theirs, images) in turns.items():
    times = [], []
    for turn in range(6):
        for place, detect in enumerate((mine, theirs)):
            start = clock()
            detect(images)
            if turn:  # the first one compiles kernels
                times[place].append(clock() - start)
    found[name] = [len(images) / median(each) for each in times]
print(json.dumps(found))
"""
TABLES = """
import sys
from pathlib import Path
import numpy as np
import torch
from datamodules.detection import Detections
from datamodules.detectors.mtcnn import MTCNNConfig
from datamodules.images import read_image

files = sorted(Path(sys.argv[1]).glob("*/*.jpg"))[::66][:200]
images = [read_image(file) for file in files]
images += [np.rot90(image[60:190, 60:190], turns).copy() for image in images[::10] for turns in (1, 2)]
keys = [str(row) for row in range(len(images))]
digests = set()
for group, threads, shards in ((1, 1, 1), (7, 2, 1), (32, 1, 4), (32, 2, 1), (7, 1, 4), (1, 2, 4)):
    torch.set_num_threads(threads)
    order = np.random.default_rng([group, threads, shards]).permutation(len(images))
    parts = []
    for rows in np.array_split(order, shards):
        detector = MTCNNConfig().build()
        groups = [rows[start : start + group] for start in range(0, len(rows), group)]
        found = [face for some in groups for face in detector.detect([images[row] for row in some])]
        parts.append(Detections.of([keys[row] for row in rows], found))
    whole = Detections.concat(parts)
    table = Detections.of(keys, [whole.row(key) for key in keys])
    digests.add(table.digest)
    print(group, threads, shards, table.digest[:12], int(table.found.sum()), len(keys), file=sys.stderr)
print(len(digests))
"""


def run(program: str, *arguments: object) -> str:
    """A process of its own: no thread count or kernel is left from other tests."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    print(found.stderr)
    return found.stdout


@pytest.mark.parametrize("threads", [1, 2])
def test_detection_is_as_fast_as_its_peer_in_batches_and_faster_than_one_by_one(shared: Path, threads: int) -> None:
    speeds = json.loads(run(SPEED, shared / "data" / "lfw" / "images", threads))
    ratios = {name: ours / theirs for name, (ours, theirs) in speeds.items()}
    for name, (ours, theirs) in speeds.items():
        print(f"{threads} threads, {name}: {ours:.1f} and {theirs:.1f} images per second: {ratios[name]:.2f}x")
    for name, bar in BARS.items():
        assert ratios[name] >= bar


def test_two_hundred_photographs_and_close_ups_give_one_table(shared: Path) -> None:
    assert run(TABLES, shared / "data" / "lfw" / "images").strip() == "1"
