"""Launches of the tiny grid with processes killed at random times, repeated until all are complete."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from launching import PATIENCE, Facegrid, Store, Undisturbed, facegrid, family, sound

STUDY = Path("studies", "tiny")
KINDS = ("driver", "worker", "raylet", "gcs_server")
WORKERS = 2  # killed workers per launch: a job that is lost a fourth time is given up
ENDS = 60.0  # maximum seconds until a launch ends after its raylet or GCS was killed; 6 on an idle machine


def written(store: Store) -> int:
    """Number of events in the ledger: claims, checkpoints, markers."""
    return sum(1 for form in ("claims/*.json", "*/events/*.json", "done-*.json") for _ in store.path.glob(f"*/*/{form}"))


@dataclass
class Kills:
    """Kills processes one by one, and checks after each that no finished stage is lost or repeated."""

    grid: Undisturbed
    folder: Path
    dice: random.Random
    killed: list[str] = field(default_factory=list)
    studies: int = 0

    def __call__(self, victims: Sequence[str]) -> None:
        """Kills processes of the kinds ``victims``, in this order, in as many launches and studies as necessary."""
        left = list(victims)
        while left:
            self.studies += 1
            here = self.folder / str(self.studies)
            here.mkdir()
            store, done = Store(here / STUDY / "store"), {}
            while left and (code := self._launch(here, store, left)) != 0:
                assert code in (1, -9), code
                done = self._nothing_lost(store, done)
            facegrid(here, "launch", self.grid.grid)
            self._nothing_lost(store, done)
            assert store.contents() == self.grid.contents
            sound(here / STUDY)

    def _launch(self, here: Path, store: Store, left: list[str]) -> int:
        """Runs one launch until it ends or is killed; removes from ``left`` what was killed."""
        workers = 0
        with Facegrid(here, "launch", self.grid.grid, FACEGRID_TEST_PAUSE="0.05") as driver:
            while left:
                early = left[0] == "driver" and self.dice.random() < 0.3  # before it has written anything
                until = written(store) + (0 if early else self.dice.randint(1, 6))
                limit = time.monotonic() + PATIENCE
                while driver.process.poll() is None and written(store) < until:
                    assert time.monotonic() < limit, driver.said
                    time.sleep(0.01)
                time.sleep(self.dice.uniform(0, 10 if early else 0.5))
                if left[0] == "worker" and workers == WORKERS:
                    left.append(left.pop(0))
                    if set(left) == {"worker"}:
                        break
                if not self._kill(left[0], driver, store):
                    if driver.process.poll() is not None:
                        break
                    continue
                self.killed.append(left.pop(0))
                workers += self.killed[-1] == "worker"
                if self.killed[-1] != "worker":
                    driver.wait(ENDS)
                    break
            code = driver.wait()
            assert "Traceback" not in driver.said, driver.said
            return code

    def _kill(self, kind: str, driver: Facegrid, store: Store) -> bool:
        if driver.process.poll() is not None:
            return False
        if kind == "driver":
            driver.kill()
            return True
        if kind == "worker":
            pids = [claim["pid"] for _, _, claim in store.claims()]
        else:
            pids = [process.pid for process in family(driver.family) if process.name() == kind]
        pids = [pid for pid in pids if psutil.pid_exists(pid)]
        if not pids:
            return False
        os.kill(self.dice.choice(pids), signal.SIGKILL)
        return True

    def _nothing_lost(self, store: Store, done: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        attempts = store.attempts()
        assert {key: attempts[key] for key in done} == dict(done), "a finished stage ran again"
        assert store.contents().items() <= self.grid.contents.items(), "a result differs"
        return store.finished()
