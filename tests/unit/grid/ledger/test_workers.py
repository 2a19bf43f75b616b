"""Workers announce themselves, so that nothing that follows a study ends while one is still starting."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from invented_study import build_study

from grid.ledger.study import Study
from grid.ledger.workers import announced, worker_alive
from grid.results.log_follower import LogFollower
from grid.results.progress import progress


def test_a_study_is_alive_from_the_announcement_of_a_worker_to_its_end(tmp_path: Path) -> None:
    study = build_study(tmp_path / "one", axes={"backbone": ["alexnet"]}, protocols=(), explainers=())
    assert not progress(study).alive
    with announced(study.path):
        assert progress(Study(study.path)).alive
        assert LogFollower(study.path, None, None).look()[1]
        with announced(study.path):
            pass
        assert worker_alive(study.path), "the other one has ended"
    assert not progress(Study(study.path)).alive
    assert list((study.path / "workers").iterdir()) == []


def test_a_killed_worker_is_not_alive_and_the_next_removes_what_it_left(tmp_path: Path) -> None:
    program = "import sys, time; from pathlib import Path; from grid.ledger.workers import announced\n"
    program += "with announced(Path(sys.argv[1])):\n print(flush=True)\n time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert worker_alive(tmp_path)
        os.kill(process.pid, signal.SIGKILL)
    assert not worker_alive(tmp_path)
    assert len(list((tmp_path / "workers").iterdir())) == 1
    with announced(tmp_path):
        assert len(list((tmp_path / "workers").iterdir())) == 1
