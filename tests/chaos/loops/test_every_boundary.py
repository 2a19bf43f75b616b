"""A launch of one cell with every kind of stage is killed at each of its writes, one launch after the other."""

from collections import Counter
from pathlib import Path

import pytest
from boundaries import calm, killed_and_launched_again
from launching import KINDS

pytestmark = pytest.mark.timeout(14400)


def test_a_kill_at_any_write_costs_nothing_that_was_finished(tmp_path: Path) -> None:
    """Before each write; at every other one, its content lies beside its place already."""
    undisturbed = calm(tmp_path / "calm")
    killed: list[str] = []
    while at := killed_and_launched_again(
        tmp_path / str(len(killed)), undisturbed, len(killed) + 1, "within" if len(killed) % 2 else "before"
    ):
        killed.append(at)
        print(len(killed), at, flush=True)
    assert len(killed) > 100
    forms = Counter(at.split()[-1].partition("/")[0] for at in killed)
    assert forms.keys() >= {*KINDS, "lock", "plan.json", "plan.backup.json", "store.json"}
    print(f"{len(killed)} writes: {dict(forms)}")
