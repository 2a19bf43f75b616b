"""A copy to the host that is read later."""

from __future__ import annotations

import pytest
import torch

from modules.layers.late_copy import LateCopy


def test_what_was_sent_last_is_read() -> None:
    copy = LateCopy()
    for value in (torch.tensor([1, 2], dtype=torch.int32), torch.tensor([3, 4], dtype=torch.int32)):
        copy.send(value)
        assert copy.read().tolist() == value.tolist()
    assert copy.read().dtype.name == "int32"
    copy.send(torch.tensor(0.5, dtype=torch.float64))
    assert float(copy.read()) == 0.5


def test_nothing_is_read_before_something_was_sent() -> None:
    with pytest.raises(AssertionError, match="nothing was sent"):
        LateCopy().read()
