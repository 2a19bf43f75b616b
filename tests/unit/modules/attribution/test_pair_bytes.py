"""Pair explainers give the same bytes in two fresh processes."""

import subprocess
import sys
from pathlib import Path

GRIDS = Path(__file__).resolve().parents[3] / "grids"
PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import torch
from pair_networks import SIZE, images, network
from modules.attribution.explainer import Reference
from modules.explainers import corr_rise, minplus, pair_occlusion, reconstruction, stylianou

left, right = images(2, 1, False), images(2, 2, False)
reference = Reference(images(4, 3, False), images(4, 4, False), torch.tensor([True, False] * 2), torch.zeros(3))
for config in (
    corr_rise.CorrRISEConfig(masks=40, side=5),
    minplus.MinPlusConfig(width=4, stride=4, threshold=-1, rounds=2),
    pair_occlusion.PairOcclusionConfig(patch=5, stride=3),
    reconstruction.ReconstructionConfig(),
    reconstruction.ReconstructionConfig(masking="cumulative"),
    stylianou.StylianouConfig(),
):
    net = network("gmp" if config.name == "reconstruction" else "fc_bn", config.name == "reconstruction", False)
    found = config.build().explain(net, left, right, SIZE, reference)
    for name in sorted(found.maps):
        assert found.maps[name].any() or name == "S-", name
        print(config.name, name, hashlib.sha256(found.maps[name].tobytes()).hexdigest())
    print(sorted(found.notes.items()))
"""


def test_maps_are_the_same_bytes_in_two_fresh_processes() -> None:
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", PROGRAM, str(GRIDS)]
    running = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [one.communicate() for one in running]
    assert [one.returncode for one in running] == [0, 0], told
    assert told[0][0] == told[1][0]
    assert len(told[0][0].splitlines()) > 15
