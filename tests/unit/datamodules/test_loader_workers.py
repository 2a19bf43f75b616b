import os

import pytest

from datamodules.loader_workers import loader_workers


@pytest.mark.parametrize(("cores", "wanted"), [(1, 0), (4, 3), (9, 8), (64, 8)])
def test_a_gpu_gets_all_cores_but_one_and_a_cpu_none(cores: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    assert loader_workers("auto", "gpu") == wanted
    assert loader_workers("auto", "cpu") == 0


@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
def test_what_is_asked_for_counts(accelerator: str) -> None:
    assert [loader_workers(count, accelerator) for count in (0, 3, 20)] == [0, 3, 20]
