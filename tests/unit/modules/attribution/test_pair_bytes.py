"""Pair explainers give the same bytes in two processes."""

import subprocess
import sys
from pathlib import Path

import forked
import pytest

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


@pytest.mark.slow
def test_maps_are_the_same_bytes_in_two_processes(tmp_path: Path) -> None:
    """A fresh one, and one that has imported much else."""
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", PROGRAM, str(GRIDS)]
    fresh = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert fresh.returncode == 0, fresh.stderr
    assert len(fresh.stdout.splitlines()) > 15
    assert forked.run(PROGRAM, tmp_path, [str(GRIDS)]) == fresh.stdout
