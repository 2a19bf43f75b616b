"""What a process is like while it computes a stage."""

import pytest
import torch

from grid.execution.process_state import fresh_process_state


def test_a_stage_runs_without_tf32_and_deterministically_whatever_the_process_has_set() -> None:
    products = torch.backends.cuda.matmul
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with fresh_process_state({}):
            assert torch.backends.cudnn.allow_tf32 is products.allow_tf32 is False
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.use_deterministic_algorithms(False)


def test_stages_without_a_gpu_leave_no_notes_in_torch() -> None:
    if torch.cuda.is_available():
        pytest.skip("only without a GPU")
    noted = len(torch.cuda._queued_calls)
    drawn = []
    for _ in range(2):
        with fresh_process_state({}):
            drawn.append(torch.rand(3))
    torch.manual_seed(0)
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], torch.rand(3))
    assert len(torch.cuda._queued_calls) <= noted + 2, "those of the call in this test"
