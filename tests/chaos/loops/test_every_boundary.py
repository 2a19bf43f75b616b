"""A launch of one cell with every kind of stage is killed at each of its writes, in a random order."""

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from boundaries import Place, calm, killed_and_launched_again
from launching import KINDS

pytestmark = pytest.mark.timeout(14400)
MOST = int(os.environ.get("FACEGRID_TEST_BOUNDARIES", "1000000"))  # that are tried


def test_a_kill_at_any_write_costs_nothing_that_was_finished(tmp_path: Path) -> None:
    """Before the write, or when its content lies beside its place: then the ledger is as it was after the write before."""
    undisturbed = calm(tmp_path / "calm")
    numbers = list(range(1, len(undisturbed.writes) + 1))
    random.Random(0).shuffle(numbers)
    killed: Counter[str] = Counter()
    for number in numbers[:MOST]:
        place = Place(tmp_path / str(number))  # MLflow remembers the database of a path
        at = killed_and_launched_again(place, undisturbed, number, "within" if number % 2 else "before")
        shutil.rmtree(place.folder)
        if at is None:  # the number of some writes, such as those of log lines, depends on the clock
            assert number > len(numbers) - len(KINDS)
            continue
        killed[at.split()[1].partition("/")[0]] += 1
        print(f"{killed.total()} of {len(numbers)}: {number}, {at}", flush=True)
    if len(numbers) <= MOST:
        assert killed.keys() >= {*KINDS, "lock", "plan.json", "plan.backup.json", "store.json"}
    print(f"{killed.total()} kills at the {len(numbers)} writes of a launch: {dict(killed)}")
