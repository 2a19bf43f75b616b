"""Processes that die in the middle of a launch: nothing finished is lost, nothing runs twice, and the numbers stay."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from launching import PATIENCE, Facegrid, Store, cells, facegrid, family, gone, grid, here, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def done_and_half_done(store: Store, pid: int) -> Any:
    """The claim of a training that is under way, not in process ``pid``, while another cell has ended; else None."""
    return store.half_trained(pid) if any(kind == "explain" for kind, _ in store.markers()) else None


def test_a_killed_driver_costs_no_finished_stage(undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    store = Store(tmp_path / STUDY / "store")
    temporary = tmp_path / "t"
    temporary.mkdir()
    with Facegrid(tmp_path, "launch", undisturbed.grid, FACEGRID_TEST_HOLD=str(hold), TMPDIR=str(temporary)) as driver:
        _, claim = driver.until(store.half_trained)
        hold.write_text(str(claim["pid"]))  # the other trainings stay half done, even when their workers outlive the driver
        half, _ = driver.until(lambda: done_and_half_done(store, claim["pid"]))
        driver.kill()
        gone(driver.family, killed=True)
    done, before = store.contents(), store.attempts()
    assert 0 < len(done) < len(undisturbed.contents)
    assert ("train", half) not in done
    assert list(temporary.rglob("facegrid-fit-*")), "its workers left temporary files"
    facegrid(tmp_path, "launch", undisturbed.grid, "launch.executor=local", TMPDIR=str(temporary))
    assert not list(temporary.glob("facegrid-*")), "which the next launch removed"
    after = store.attempts()
    assert {key: after[key] for key in done} == {key: before[key] for key in done}
    assert store.contents() == undisturbed.contents
    assert half in store.resumed(), "a training goes on from its checkpoint"
    assert after["train", half] == before["train", half] + 1
    sound(tmp_path / STUDY)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "retries"), [(signal.SIGKILL, 1), (signal.SIGTERM, 0)])
def test_a_killed_worker_is_replaced_and_its_training_goes_on(
    undisturbed: Any, tmp_path: Path, hold: Path, number: int, retries: int
) -> None:
    """One that is asked to end, such as by a cluster manager, costs no try."""
    store = Store(tmp_path / STUDY / "store")
    words = ("launch", undisturbed.grid, f"launch.retries={retries}")
    with Facegrid(tmp_path, *words, FACEGRID_TEST_HOLD=str(hold)) as driver:
        half, claim = driver.until(store.half_trained)
        os.kill(claim["pid"], number)
        hold.unlink()
        assert driver.wait() == 0, driver.said
        gone(driver.family)
    assert "its process or node was lost; it goes on in another one" in driver.said
    assert "Traceback" not in driver.said
    assert store.contents() == undisturbed.contents
    assert half in store.resumed()
    assert store.attempts()["train", half] == 2
    assert {count for key, count in store.attempts().items() if key != ("train", half)} == {1}
    sound(tmp_path / STUDY)


@pytest.mark.slow
def test_a_worker_that_always_dies_is_given_up_after_as_many_more_tries_as_the_grid_file_says(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        del tree["skip"]
        tree["axes"] = {"luck": {"bad": {"augmentation.name": "components.lethal"}, "good": {}}}
        tree["launch"] = {"retries": 1}

    file, store = grid(tmp_path / "tiny.yaml", change), Store(tmp_path / STUDY / "store")
    said = facegrid(tmp_path, "launch", file, code=1)
    ids = {cell["levels"]["luck"]: cell["stages"] for cell in cells(tmp_path / STUDY)}
    assert store.attempts()["train", ids["bad"]["train"]] == 2
    failure = store.ledger.failure("train", ids["bad"]["train"])
    assert failure is not None
    assert not failure.deterministic
    assert "lost too often" in said
    assert {id for _, id in store.contents()} == set(ids["good"].values())
    assert "luck=bad" in here(tmp_path, "launch", file, code=1)
    assert store.attempts()["train", ids["bad"]["train"]] == 2, "it is not tried again unasked"


def test_a_lost_family_is_seen() -> None:
    """The check above can fail: it sees a process that carries the tag."""
    import subprocess
    import uuid

    from launching import environment

    tag = uuid.uuid4().hex
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environment(tag)) as process:
        try:
            limit = time.monotonic() + PATIENCE
            while not family(tag):
                assert time.monotonic() < limit
            assert [psutil.Process(process.pid)] == family(tag)
        finally:
            process.kill()
