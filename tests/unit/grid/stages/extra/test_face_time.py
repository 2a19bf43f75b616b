"""Seconds per face on the CPU. That the stage runs in a cell is tested in test_classification.py."""

import time

import pytest
import torch

from grid.processor import processor
from grid.stages.extra.face_time import WARM_UP, Kind, _threads, _timed


def test_each_call_is_timed_but_the_first_ones():
    naps = [0.0] * WARM_UP + [0.02, 0.05]
    found = _timed([lambda nap=nap: time.sleep(nap) for nap in naps])
    assert len(found) == 2
    assert found[0] >= 0.02
    assert found[1] >= 0.05


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match=f"{WARM_UP} images are too few"):
        _timed([lambda: None] * WARM_UP)


def test_threads_are_set_and_reset():
    before = torch.get_num_threads()
    with _threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_columns_name_the_processor_and_the_threads():
    result = {"embedding": {"value": 0.02}, "total": {"value": 0.02}, "processor": processor(), "threads": 2}
    measures = Kind("face_time").measures([result])
    assert [one.key for one in measures] == ["embedding", "total"]
    assert measures[1].title == f"Total [s] (2 threads, {processor()})"
    assert processor()
