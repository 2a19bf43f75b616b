"""Pull workers are killed at random moments until studies are complete: each kill costs nothing that was finished."""

import os
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from launching import PATIENCE, Facegrid, Store, facegrid, sound

pytestmark = pytest.mark.timeout(14400)
STUDY = Path("studies", "tiny")
NUMBER = int(os.environ.get("FACEGRID_TEST_KILLS", "200"))
WORKERS = 2


def test_random_kills_of_workers_cost_nothing_that_was_finished(undisturbed: Any, tmp_path: Path) -> None:
    dice = random.Random(0)
    kills = studies = 0
    while kills < NUMBER:
        studies += 1
        here = tmp_path / str(studies)
        here.mkdir()
        facegrid(here, "launch", undisturbed.grid, "--no-run")
        store = Store(here / STUDY / "store")
        finished: dict[tuple[str, str], int] = {}
        limit = time.monotonic() + PATIENCE * 20
        with ExitStack() as stack:
            workers = [stack.enter_context(Facegrid(here, "work", STUDY, FACEGRID_TEST_PAUSE="0.2")) for _ in range(WORKERS)]
            while any(worker.process.poll() is None for worker in workers):
                assert time.monotonic() < limit, [worker.said for worker in workers]
                busy = {claim["pid"] for _, _, claim in store.claims()}
                chosen = [worker for worker in workers if worker.process.poll() is None and worker.process.pid in busy]
                if kills < NUMBER and chosen:
                    time.sleep(dice.uniform(0, 1.5))
                    victim = dice.choice(chosen)
                    if victim.process.poll() is not None:
                        continue
                    os.kill(victim.process.pid, signal.SIGKILL)
                    victim.process.wait(30)
                    kills += 1
                    attempts = store.attempts()
                    assert {key: attempts[key] for key in finished} == finished, "a finished stage ran again"
                    assert store.contents().items() <= undisturbed.contents.items(), "a result differs"
                    finished = store.finished()
                    workers[workers.index(victim)] = stack.enter_context(
                        Facegrid(here, "work", STUDY, FACEGRID_TEST_PAUSE="0.2")
                    )
                time.sleep(0.05)
            for worker in workers:
                assert worker.process.returncode == 0, worker.said
                assert "Traceback" not in worker.said
        assert store.contents() == undisturbed.contents
        sound(here / STUDY)
    print(f"{kills} kills of workers in {studies} studies")
