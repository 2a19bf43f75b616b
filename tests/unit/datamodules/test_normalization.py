"""One normalization for training and inference: the bits of the loader's."""

import numpy as np
import torch

from datamodules.normalization import normalized
from datamodules.tensors import tensors


def test_normalization_is_that_of_training():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(4, 8, 8, 3)
    assert torch.equal(normalized(torch.from_numpy(every), channels_last=False), tensors(every, "cpu"))
    assert normalized(torch.from_numpy(every), channels_last=False).is_contiguous()
    other = normalized(torch.from_numpy(every), channels_last=True)
    assert other.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(other, tensors(every, "cpu"))
