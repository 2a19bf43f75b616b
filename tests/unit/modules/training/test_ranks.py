"""Two ranks train and validate as one process does, whatever is validated and however little of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from rank_trainings import PROGRAM
from ranks import together

from modules.training.ranks import is_communication_error

TRIPLET = {"batch_size": 6, "lr": 0.01}
BATCH = {"name": "batch", "gray": 0.3, "erase": 0.5}
CASES: list[dict[str, Any]] = [
    {},
    {"recipe": {"accumulate": 2, "clip": 0.5, "batch_size": 10}},
    {"recipe": {"ema": 0.5}},
    {"validation": 1},  # fewer images than ranks
    {"validation": 0, "recipe": {"select": "last"}},
    {"loss": "triplet", "batches": {"name": "pk", "images": 2}, "recipe": TRIPLET},
    {"loss": "triplet", "validation": 1, "batches": {"name": "pk", "images": 2}, "recipe": {**TRIPLET, "select": "last"}},
    {"augmentation": BATCH},
    {"augmentation": BATCH, "loss": "triplet", "batches": {"name": "pk", "images": 2}, "recipe": TRIPLET},
    {"targets": {"one": "center", "other": "softmax"}},
    {"targets": {"one": "center", "other": "softmax"}, "validation": 1},
    {"open_set": True},
    {"batch": 64},  # one smaller batch
    {"backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}, "synchronized": True, "recipe": {"lr": 0.01}},
]


@pytest.mark.slow
def test_two_ranks_train_and_validate_as_one_process(tmp_path: Path) -> None:
    names: dict[str, Any] = {"rank": None, "cases": CASES, "place": tmp_path}
    exec(compile(PROGRAM, "<program>", "exec"), names)
    found = together(tmp_path / "ranks", 2, PROGRAM, cases=CASES, place=tmp_path)
    for case, (history, weights, *_), (first, kept, *_), (second, nothing, *_) in zip(
        CASES, names["result"], *found, strict=True
    ):
        assert nothing is None, "only rank 0 writes"
        assert first == second, "all ranks agree on every number"
        assert kept.keys() == weights.keys()
        for key, value in weights.items():
            assert torch.allclose(value, kept[key], rtol=0, atol=1e-5), (case, key)
        for row, other in zip(history, first, strict=True):
            assert row.keys() == other.keys()
            for key, value in row.items():
                assert other[key] == (pytest.approx(value, abs=1e-5) if isinstance(value, float) else value), (case, key)


@pytest.mark.parametrize("case", [{}, {"signal": True}], ids=str)
def test_what_one_rank_is_asked_ends_all_of_them_a_step_later(tmp_path: Path, case: dict[str, Any]) -> None:
    found = together(tmp_path / "a", 2, PROGRAM, cases=[{}, {**case, "stop": 1}], place=tmp_path)
    assert {one[1] for one in found} == {"stopped in epoch 0 after 2 of 3 batches; the state is saved"}
    (tmp_path / "more").mkdir()
    resumed = [{"checkpoint": tmp_path / "1-0" / "0.ckpt"}]
    again = together(tmp_path / "b", 2, PROGRAM, cases=resumed, place=tmp_path / "more")
    ((history, weights, *_), _), ((other, kept, *_),) = found[0], again[0]
    assert history == other
    assert all(torch.equal(weights[key], kept[key]) for key in weights)


SAVES = '        path = folder / f"{epoch}.ckpt"\n'
IMAGE = "    def __getitem__(self, index):\n"
FAILS = {
    "rank 0 before a checkpoint": (SAVES, f"        raise OSError('it failed')\n{SAVES}"),
    "rank 0 after it": ("        saved.append(path)\n", "        raise OSError('it failed')\n"),
    **{
        f"rank {number} in image {image}": (
            IMAGE,
            f"{IMAGE}        assert (rank.number, index) != ({number}, {image}), 'it failed'\n",
        )
        for number, image in ((0, 17), (1, 17), (1, 1))  # the last one is of the validation
    },
}


@pytest.mark.parametrize("shared", [False, True], ids=["copied", "shared"])
@pytest.mark.parametrize("where", FAILS)
def test_a_rank_that_fails_ends_the_other_one_at_once(tmp_path: Path, where: str, shared: bool) -> None:
    """Whatever the other one waits for: it would be given ten minutes, and ``together`` gives it two."""
    before, after = FAILS[where]
    assert PROGRAM.count(before) == 1
    case = {"loss": {"name": "arcface", "scale": 16}, "shared": True} if shared else {}
    with pytest.raises(AssertionError, match="it failed") as raised:
        together(tmp_path / "ranks", 2, PROGRAM.replace(before, after), cases=[case], place=tmp_path)
    assert len(re.findall("^RuntimeError: .*gloo", str(raised.value), re.MULTILINE)) == 1, "the other rank says so"


def test_the_other_ranks_wait_for_a_checkpoint_however_long_rank_0_takes_to_store_it(tmp_path: Path) -> None:
    """They wait neither in the next step nor at the end of the epoch, where a collective call would give up."""
    slow = PROGRAM.replace("        saved.append(path)\n", "        saved.append(path)\n        time.sleep(6)\n")
    patience = timedelta(seconds=3)
    found = together(tmp_path / "ranks", 2, "import time\n" + slow, patience=patience, cases=[{}], place=tmp_path)
    ((first, *_),), ((second, *_),) = found
    assert len(first) == 2
    assert first == second


def test_the_terminal_gets_no_warning_of_torch(tmp_path: Path) -> None:
    caught = f"import os; os.dup2(os.open(f'{tmp_path}/said-{{rank.number}}', os.O_WRONLY | os.O_CREAT), 2)\n"
    together(tmp_path / "ranks", 2, caught + PROGRAM, cases=[{}], place=tmp_path)
    assert [(tmp_path / f"said-{rank}").read_text() for rank in range(2)] == ["", ""]


def test_a_broken_connection_is_told_from_other_errors() -> None:
    closed = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:525] Connection closed by peer [127.0.0.1]:4711"
    assert is_communication_error(RuntimeError(closed))
    assert is_communication_error(torch.distributed.DistNetworkError("timed out"))
    for other in ("shapes cannot be multiplied", "cannot open the socket of the camera", "data: connection refused"):
        assert not is_communication_error(RuntimeError(other))
    assert not is_communication_error(ValueError("connection closed"))
