"""An executor of a user's own, in one file outside the source tree, runs a launch; so does the local one.

``undisturbed`` was launched by the local executor, and the launches on Ray in tests/chaos and tests/cluster equal it.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from launching import GRIDS, ROOT, Store, facegrid, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
POOL = '''
"""Two processes of the standard library; they compute, this process tells what came of it."""
import multiprocessing
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

from grid.execution.executor import Executor
from grid.execution.perform import packed_jobs, packed_outcomes, perform, unpacked_jobs, unpacked_outcomes


def compute(jobs):
    return packed_outcomes(perform(unpacked_jobs(jobs), lambda label, row: None))


class PoolExecutor(Executor):
    def run(self, session):
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            running = {}
            while not session.finished:
                while len(running) < 2 and (work := session.take()):
                    running[pool.submit(compute, packed_jobs(work.jobs))] = work
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    session.end(running.pop(future), unpacked_outcomes(future.result()))
'''


@pytest.mark.slow
def test_an_executor_of_a_user_s_own_runs_a_launch_end_to_end(undisturbed: Any, tmp_path: Path) -> None:
    (tmp_path / "my_pool.py").write_text(POOL)
    path = f"{tmp_path}:{GRIDS}:{ROOT}"
    said = facegrid(tmp_path, "launch", undisturbed.grid, "launch.executor=my_pool.PoolExecutor", PYTHONPATH=path)
    assert "10 stages to run with my_pool.PoolExecutor" in said
    assert "Ray" not in said
    store = Store(tmp_path / STUDY / "store")
    assert store.contents() == undisturbed.contents, "the same results as in one process"
    assert len(store.computed_in()) == 2
    sound(tmp_path / STUDY)


def test_the_local_executor_runs_every_stage_in_this_process(undisturbed: Any) -> None:
    assert re.search(r"10 stages to run in this process on .*, as \d units of work\n", undisturbed.said)
    assert Store(undisturbed.study / "store").computed_in() == {undisturbed.pid}
    sound(undisturbed.study)
