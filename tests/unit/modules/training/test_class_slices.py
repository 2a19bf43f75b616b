"""Ranks that share the classes train as one process does, and any number of ranks resumes what another has saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rank_trainings import PROGRAM
from ranks import together

ARCFACE = {"loss": {"name": "arcface", "scale": 16}, "shared": True, "recipe": {"lr": 0.01, "epochs": 2}}
CASES: list[dict[str, Any]] = [
    ARCFACE,
    {**ARCFACE, "loss": {"name": "cosface", "scale": 16, "sample": 0.5}, "recipe": {"lr": 0.01, "epochs": 2, "ema": 0.5}},
    {**ARCFACE, "recipe": {"optimizer": "adamw", "lr": 0.001, "epochs": 2, "clip": 0.5, "accumulate": 2, "batch_size": 10}},
    {**ARCFACE, "loss": {"name": "subcenter_arcface", "scale": 16}, "recipe": {"lr": 0.01, "epochs": 2, "clip": 0.1}},
]


def run(folder: Path, world: int, cases: list[dict[str, Any]]) -> list[Any]:
    """What rank 0 found."""
    folder.mkdir()
    if world == 1:
        names: dict[str, Any] = {"rank": None, "cases": cases, "place": folder}
        exec(compile(PROGRAM, "<program>", "exec"), names)
        return list(names["result"])
    first, second = together(folder / "ranks", world, PROGRAM, cases=cases, place=folder)
    for (history, _, _, count), (other, nothing, _, more) in zip(first, second, strict=True):
        assert history == other
        assert nothing is None
        assert abs(count - more) <= 3
    return first


def same(found: list[Any], expected: list[Any]) -> None:
    for case, (history, weights, *_), (other, kept, *_) in zip(CASES, expected, found, strict=True):
        assert kept.keys() == weights.keys()
        for key, value in weights.items():
            torch.testing.assert_close(kept[key], value, rtol=0, atol=1e-5, msg=f"{case}: {key}")
        for row, again in zip(history, other, strict=True):
            for key, value in row.items():
                assert again[key] == (pytest.approx(value, rel=1e-5, abs=1e-5) if isinstance(value, float) else value), (
                    case,
                    key,
                )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_number_of_ranks_resumes_what_another_has_saved(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 1, CASES)
    shared = run(tmp_path / "shared", 2, CASES)
    same(shared, whole)
    assert [count for *_, count in whole] == [4, 4, 4, 12]
    assert [count for *_, count in shared] == [2, 2, 2, 6]
    for before, after in ((2, 1), (1, 2)):
        half = tmp_path / f"half-{before}"
        run(half, before, [{**case, "until": 1} for case in CASES])
        saved = [half / f"{number}-{'alone' if before == 1 else 0}" / "0.ckpt" for number in range(len(CASES))]
        cases = [{**case, "checkpoint": path} for case, path in zip(CASES, saved, strict=True)]
        same(run(tmp_path / f"rest-{after}", after, cases), whole)
