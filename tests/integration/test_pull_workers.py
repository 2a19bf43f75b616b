"""``facegrid work``: several workers of one study, one of them killed, and a launch beside a worker."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from invented_study import build_study
from launching import Facegrid, Store, here, sound

from grid.results.progress import progress

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def begun_by(store: Store) -> Counter[int]:
    """The attempts of each process, by its id."""
    return Counter(claim["pid"] for kind, id in store.ids() for claim in store.ledger.claims(kind, id))


def test_a_killed_worker_is_replaced_and_nothing_runs_twice(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    said = here(tmp_path, "launch", undisturbed.grid, "--no-run")
    assert "10 stages to run; `facegrid work studies/tiny` runs them" in said
    store = Store(tmp_path / STUDY / "store")
    assert store.contents() == {}
    with (
        Facegrid(tmp_path, "work", STUDY, FACEGRID_TEST_HOLD=str(hold)) as victim,
        Facegrid(tmp_path, "work", STUDY, FACEGRID_TEST_HOLD=str(hold)) as other,
    ):
        killed, _ = victim.until(lambda: store.half_trained(other.process.pid))
        os.kill(victim.process.pid, signal.SIGKILL)
        victim.process.wait(30)
        before = store.attempts()
        done = set(store.markers())
        assert ("train", killed) not in done
        hold.unlink()
        with Facegrid(tmp_path, "work", STUDY) as third:
            assert (other.wait(), third.wait()) == (0, 0), other.said + third.said
            assert "Traceback" not in other.said + third.said
    assert store.contents() == undisturbed.contents
    attempts = store.attempts()
    assert attempts.pop(("train", killed)) == 2
    assert killed in store.resumed()
    assert set(attempts.values()) == {1}, attempts
    assert {key: attempts[key] for key in done} == {key: before[key] for key in done}
    assert len(store.computed_in()) >= 2
    for one in (other, third):
        ran = re.search(r"(\d+) (of \d+ )?stages? ran", one.said)
        own = begun_by(store)[one.process.pid]
        assert own == (int(ran[1]) if ran else 0), one.said
    sound(tmp_path / STUDY)
    states = [cell["state"] for cell in json.loads((tmp_path / STUDY / "report" / "report.json").read_text())["cells"]]
    assert sorted(states) == ["done"] * 3 + ["skipped"]
    assert "0 stages to run" in here(tmp_path, "work", STUDY)


@pytest.mark.slow
def test_a_worker_and_a_launch_share_the_stages(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    here(tmp_path, "launch", undisturbed.grid, "--no-run")
    store = Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "work", STUDY, FACEGRID_TEST_HOLD=str(hold)) as worker:
        worker.until(store.half_trained)
        with Facegrid(tmp_path, "launch", undisturbed.grid, "launch.concurrency=1") as launch:
            launch.until(lambda: len(store.computed_in()) > 1)
            hold.unlink()
            assert (worker.wait(), launch.wait()) == (0, 0), worker.said + launch.said
    assert store.contents() == undisturbed.contents
    assert set(store.attempts().values()) == {1}, store.attempts()
    assert len(store.computed_in()) >= 2
    sound(tmp_path / STUDY)
    counts = re.search(r"(\d+) of (\d+) stages ran, and (\d+) in another launch or worker", launch.said)
    assert counts is not None, launch.said
    ran, planned, others = map(int, counts.groups())
    assert ran == begun_by(store).total() - begun_by(store)[worker.process.pid]
    assert ran + others == planned


def test_a_worker_is_announced_before_it_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = build_study(tmp_path / STUDY, axes={"backbone": ["alexnet"]}, protocols=(), explainers=())
    monkeypatch.setattr("grid.execution.pull_worker.work", lambda found, *_: int(not progress(found).alive))
    here(tmp_path, "work", STUDY)
    assert not progress(study).alive


def test_a_worker_of_no_study_is_one_line(tmp_path: Path) -> None:
    assert here(tmp_path, "work", "nowhere", code=2).splitlines() == [
        "facegrid: nowhere: no study (it has no plan.json); `facegrid launch GRID` makes one"
    ]
