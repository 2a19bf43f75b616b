"""Score-CAM in processes of its own: how much memory it takes, and that two make the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import forked
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
MEMORY = """
import json, torch
from torch import nn
from modules.explainers.score_cam import ScoreCAMConfig
from modules.attribution.targets import ClassLogit
torch.set_num_threads(1)
torch.manual_seed(0)

class Logits(nn.Module):
    def logits(self, embeddings):
        return embeddings

class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 16, 3, 2, 1)
        self.two = nn.Sequential(nn.AvgPool2d(16), nn.Conv2d(16, 1280, 1))
    def stages(self):
        return {"one": self.one, "two": self.two}
    def forward(self, images):
        return self.two(self.one(images))

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.loss = Logits()
    def embed(self, images):
        return self.backbone(images).mean((2, 3))

def memory(key):
    return int(open("/proc/self/status").read().split(key + ":")[1].split()[0]) * 1024

network = Network().eval()
image = torch.randn(1, 3, 160, 160)
with torch.no_grad():
    network.embed(image)
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here
before = memory("VmRSS")
found = ScoreCAMConfig().build().explain(network, image, ClassLogit(torch.tensor([7])), 160)
live = 1280 - found.notes["constant_channels"][0]
print(json.dumps({"bytes": memory("VmHWM") - before, "shape": found.layer_shape, "live": live}))
"""


def test_1280_channels_at_160_pixels_stay_under_one_gigabyte(tmp_path):
    """All masked images at once, with what the first layer makes of them, are more. The bench has EfficientNet-Lite0."""
    found = json.loads(forked.run(MEMORY, tmp_path).splitlines()[-1])
    assert (found["shape"], found["live"]) == ([1280, 5, 5], 1280)
    assert found["bytes"] < 10**9


TWICE = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import torch
from test_score_cam import MODES, Net, TARGETS, images
from modules.explainers import lime, rise, score_cam
from modules.explainers import activation_maximization
digest = hashlib.sha256()
network, given = Net(), images(dtype=torch.float32)
for mode in MODES:
    digest.update(score_cam.ScoreCAMConfig(mode=mode).build().explain(network, given, TARGETS, 16).maps.tobytes())
for config in (
    rise.RISEConfig(masks=40), lime.LIMEConfig(segments=6, samples=40),
    activation_maximization.ActivationMaximizationConfig(steps=4, jitter=2),
):
    found = config.build().explain(network, given, TARGETS, 16)
    digest.update(found.maps.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(tmp_path):
    """Of this method, and of the others that alter images: a fresh process, and one that has imported much else."""
    done = subprocess.run([sys.executable, "-c", TWICE, str(HERE)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 64
    assert forked.run(TWICE, tmp_path, [str(HERE)]) == done.stdout
