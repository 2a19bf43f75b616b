"""An all-reduce over processes of this machine, as between nodes."""

from __future__ import annotations

import socket
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import forked
import pytest
import torch
import torch.distributed as distributed

from cluster import collective
from cluster.collective import free_port, sum_over_nodes

HOST = "127.0.0.1"


def test_the_sum_over_three_processes_arrives_in_each() -> None:
    port = free_port(HOST)
    with ProcessPoolExecutor(3, forked.context()) as pool:
        ends = [pool.submit(sum_over_nodes, rank, 3, HOST, port, "gloo") for rank in range(3)]
        assert [end.result(120) for end in ends] == [None, None, None]


def test_a_process_that_never_comes_is_an_error_and_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collective, "PATIENCE", timedelta(seconds=1))
    assert "timed out" in str(sum_over_nodes(0, 2, HOST, free_port(HOST), "gloo")).lower().replace("timeout", "timed out")
    assert not distributed.is_initialized()


@pytest.mark.skipif(torch.cuda.is_available(), reason="nccl finds a GPU")
def test_nccl_without_a_gpu_is_an_error_in_words() -> None:
    with ProcessPoolExecutor(1, forked.context()) as pool:
        said = pool.submit(sum_over_nodes, 0, 1, HOST, free_port(HOST), "nccl").result(120)
    assert "GPUs" in said or "NCCL" in said, said


def test_a_wrong_sum_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "all_reduce", lambda value: value.add_(1))
    assert sum_over_nodes(0, 1, HOST, free_port(HOST), "gloo") == "the all-reduce over 1 nodes gives 2, not 1"


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as probe:
        probe.bind((HOST, free_port(HOST)))
