"""Embedding of an evaluation against the network alone on the same batches, in one process, in turns; medians count.

On a CPU the processor's time is compared, of all threads together, which neighbors on the machine disturb less. Crops of 112
pixels come from the crop cache, or are cut out of photographs each time. The network is MobileFaceNet on a CPU, IResNet-50 on a
GPU. The bar is 1.1 for crops from the cache; the tests allow more, for crowded machines.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BAR, ALLOWED = 1.1, 1.2
SUBJECTS = 80
PROGRAM = """
import json, sys, time
from pathlib import Path
from statistics import median
import numpy as np
import torch
from configs.lookup import resolve
from datamodules.crops import crops
from datamodules.inference import batch_size, infer
from modules.network import Network

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.set_num_threads(1)
count = 4096 if device == "cuda" else 128
clock = time.perf_counter if device == "cuda" else time.process_time
data = resolve("data", {"name": "folder", "root": sys.argv[1]})
cache = Path(sys.argv[2])
whole = data.manifest(cache) or data.scan(cache)
manifest = whole.subset([row % len(whole.keys) for row in range(min(count, len(whole.keys)))])
detector = resolve("detector", {"name": "none", "fraction": 0.5})
found = detector.build().of_manifest(manifest)
tables = [crops(data.build(manifest), found, detector, 112, cache / "crops", limit) for limit in (8 << 30, 0)]
backbone = resolve("backbone", {"name": "iresnet", "depth": 50} if device == "cuda" else "mobilefacenet")
torch.manual_seed(0)
network = Network(backbone, resolve("head", "gdc" if device == "cpu" else "gap_bn"), resolve("loss", "softmax"), 10, 112)
network.eval().to(device)
size = batch_size(device, 112, 112)
rows = np.arange(count) % len(manifest.keys)
blocks = [torch.rand(len(rows[start : start + size]), 3, 112, 112, device=device) for start in range(0, count, size)]

def alone(precision):
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=precision != "32-true"):
        for block in blocks:
            last = network.embed(block)
        return last.float().cpu()

def ours(table, precision):
    return infer(lambda images: {"embedding": network.embed(images)}, table.take, rows, device, precision)

result = {}
for precision in ("32-true", "bf16-mixed") if device == "cuda" else ("32-true",):
    turns = {
        "alone": lambda: alone(precision),
        "cached": lambda: ours(tables[0], precision),
        "cut": lambda: ours(tables[1], precision),
    }
    times = {name: [] for name in turns}
    if precision != "32-true":
        network.to(memory_format=torch.channels_last)
        blocks = [block.contiguous(memory_format=torch.channels_last) for block in blocks]
    for turn in range(4):
        for name, call in turns.items():
            start = clock()
            call()
            if turn:
                times[name].append(clock() - start)
    result[precision] = {name: count / median(each) for name, each in times.items()}
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def speeds(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Images per second by precision and source."""
    place = tmp_path_factory.mktemp("embedding")
    for folder in sorted((shared / "data" / "lfw" / "images").iterdir())[:SUBJECTS]:
        shutil.copytree(folder, place / "folder" / folder.name)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(place / "folder"), str(place / "cache")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_evaluation_takes_hardly_longer_than_its_network(speeds: dict[str, Any]) -> None:
    for precision, found in speeds.items():
        ratios = {name: found["alone"] / found[name] for name in ("cached", "cut")}
        shown = ", ".join(f"{name} {found[name]:.1f} ({ratio:.3f} times as long)" for name, ratio in ratios.items())
        print(f"\n{precision}, images per second: network alone {found['alone']:.1f}, crops {shown}; bar {BAR}")
        assert ratios["cached"] < ALLOWED
