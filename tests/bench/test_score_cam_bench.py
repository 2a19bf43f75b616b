"""Score-CAM: one class against pytorch-grad-cam, and the memory of 1,280 channels.

Each measurement is a process of its own, with one thread. Times are medians of interleaved repetitions, told as ratios. The bar
is that of the project; the test allows half of it, for crowded machines.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, statistics, sys, time
import torch
from torch import nn
from modules.backbones import efficientnet_lite0
from modules.explainers.score_cam import ScoreCAMConfig
from modules.attribution.targets import ClassLogit
torch.set_num_threads(1)
torch.manual_seed(0)

class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1280, 1000)
    def logits(self, embeddings):
        return self.linear(embeddings)

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = efficientnet_lite0.EfficientNetLite0Config().build()
        self.loss = Loss()
    def embed(self, images):
        return self.backbone(images).mean((2, 3))
    def forward(self, images):
        return self.loss.logits(self.embed(images))

def peer(network, layer, image):
    import pytorch_grad_cam.score_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    pytorch_grad_cam.score_cam.tqdm.tqdm = iter  # no progress bar
    with pytorch_grad_cam.ScoreCAM(network, [network.backbone.stages()[layer]]) as method:
        return method(image, [ClassifierOutputTarget(7)])

def ours(network, layer, image):
    explainer = ScoreCAMConfig(mode="pytorch_grad_cam", layer=layer).build()
    return explainer.explain(network, image, ClassLogit(torch.tensor([7])), size).maps

def memory(key):
    return int(open("/proc/self/status").read().split(key + ":")[1].split()[0]) * 1024

names, layer, size, repeats = sys.argv[1].split(","), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
network, image = Network().eval(), torch.randn(1, 3, size, size)
with torch.no_grad():
    network(image.repeat(16, 1, 1, 1))  # what a library sets up once does not count
layer = layer or list(network.backbone.stages())[-1]
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here
before = memory("VmRSS")
seconds = {name: [] for name in names}
for _ in range(repeats):
    for name in names:
        start = time.perf_counter()
        globals()[name](network, layer, image)
        seconds[name].append(time.perf_counter() - start)
found = {name: statistics.median(taken) for name, taken in seconds.items()}
print(json.dumps({"seconds": found, "bytes": memory("VmHWM") - before}))
"""


def measured(names: str, layer: str, size: int, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, names, layer, str(size), str(repeats)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_one_class_against_pytorch_grad_cam() -> None:
    seconds = measured("ours,peer", "blocks.4", 112, 5)["seconds"]
    ratio = seconds["peer"] / seconds["ours"]
    print(f"\nScore-CAM, 1 class: {seconds['ours']:.2f} s; pytorch-grad-cam {seconds['peer']:.2f} s: {ratio:.2f}x (no bar)")
    assert ratio > 0.5


def test_1280_channels_at_160_pixels() -> None:
    ours, peer = (measured(name, "", 160, 1) for name in ("ours", "peer"))
    less = peer["bytes"] / ours["bytes"]
    print(
        f"\nScore-CAM, 1,280 channels at 160 px: {ours['bytes'] / 2**20:.0f} MiB above the model;"
        f" pytorch-grad-cam {peer['bytes'] / 2**20:.0f} MiB: {less:.1f}x (bar: under 1 GB)"
    )
    assert ours["bytes"] < 10**9
