"""The cascade; what it finds in photographs is tested with the detector."""

import numpy as np
import pytest
import torch

from datamodules.mtcnn import faces
from datamodules.mtcnn_decisions import NONE
from datamodules.mtcnn_networks import OUTPUT, REFINED, Networks

RNG = np.random.default_rng(0)
SETTINGS = (20, (0.6, 0.7, 0.7), 0.709)


@pytest.fixture(scope="module")
def networks():
    return Networks(torch.device("cpu"))


def test_networks_compute_what_facenet_pytorchs_do(networks):
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    with torch.inference_mode():
        for side in (12, 13, 40, 41):
            image = RNG.normal(size=(side, side + 5, 3)).astype(np.float32)
            scores, offsets = networks.propose(image)
            theirs = PNet().eval()(torch.from_numpy(image).permute(2, 0, 1)[None])
            assert np.allclose(scores, theirs[1][0, 1].numpy(), atol=1e-5)
            assert np.allclose(offsets, theirs[0][0].permute(1, 2, 0).numpy(), atol=1e-5)
        for count in (1, *REFINED, *OUTPUT, sum(OUTPUT) + 1, 2 * REFINED[1]):
            small, large = (RNG.normal(size=(count, side, side, 3)).astype(np.float32) for side in (24, 48))
            offsets, both = RNet().eval()(torch.from_numpy(small).permute(0, 3, 1, 2))
            for ours, theirs in zip(networks.refine(small), (both[:, 1], offsets), strict=True):
                assert np.allclose(ours, theirs.numpy(), atol=1e-5)
            offsets, points, both = ONet().eval()(torch.from_numpy(large).permute(0, 3, 1, 2))
            for ours, theirs in zip(networks.output(large), (both[:, 1], offsets, points), strict=True):
                assert np.allclose(ours, theirs.numpy(), atol=1e-5)


def test_an_image_of_one_color_has_no_faces(networks):
    assert faces(networks, np.full((60, 80, 3), 90, np.uint8), *SETTINGS) is NONE
    assert faces(networks, np.full((5, 80, 3), 90, np.uint8), *SETTINGS) is NONE
