"""``debug --fast`` of shipped grids that are quick; tests/chaos/loops/test_small_grids.py has all small ones."""

import re
from pathlib import Path

import pytest
from quick_checks import DRAWN, checked

from grid.stages.context import FAST_EXPLAINED

pytestmark = pytest.mark.slow
DEAR = ("xu2023_small", "zhong2018_small")  # seven methods of pairs with their scores; the other has a test of its own


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in DEAR])
def test_a_quick_check_of_a_shipped_grid_runs_every_stage(tmp_path: Path, name: str) -> None:
    stages, said = checked(name, tmp_path, None)
    assert "train" in stages
    assert [stage for stage in stages if f"  {stage}: " not in said] == []


def test_a_quick_check_explains_few_pairs(tmp_path: Path) -> None:
    stages, said = checked("zhong2018_small", tmp_path, None)
    assert {"train", "evaluate:similar", "explain:pair_occlusion"} <= set(stages)
    assert [stage for stage in stages if f"  {stage}: " not in said] == []
    counts = re.findall(r"explain:\w+: images (\d+)", said)
    assert counts == [str(2 * FAST_EXPLAINED)] * 3, "the grid asks for 20 pairs"
    assert f"each explainer of pairs {FAST_EXPLAINED};" in said
