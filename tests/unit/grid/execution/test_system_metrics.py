"""Samples of the machine while a stage is computed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from grid.execution import system_metrics
from grid.execution.system_metrics import Sampler, descendants, sampled
from grid.ledger.attempt_log import SYSTEM, read_log
from grid.ledger.ledger import Ledger

EAT = "import sys\nkept = bytearray(300 << 20)\nprint('ready', flush=True)\nsys.stdin.read()\n"


def test_samples_are_of_the_machine_and_of_this_process_with_its_children() -> None:
    sampler = Sampler("cpu")
    before = sampler.sample()
    child = subprocess.Popen([sys.executable, "-c", EAT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    during = sampler.sample()
    child.communicate(b"")
    after = sampler.sample()
    assert during["process_memory_usage_megabytes"] - after["process_memory_usage_megabytes"] > 290
    assert during["process_memory_usage_megabytes"] - before["process_memory_usage_megabytes"] > 290
    here = psutil.Process()
    own = sum(one.memory_info().rss for one in (here, *here.children(recursive=True))) / 2**20  # other tests left some children
    assert after["process_memory_usage_megabytes"] == pytest.approx(own, rel=0.2)
    total = psutil.virtual_memory().total / 2**20
    assert 0 < after["system_memory_usage_megabytes"] < total
    assert 0 < after["system_memory_usage_percentage"] < 100
    assert not any(key.startswith("gpu") for key in after)


def test_the_share_of_a_core_is_the_processor_time_divided_by_the_time() -> None:
    sampler = Sampler("cpu")
    wall, used = time.monotonic(), time.process_time()
    while time.process_time() < used + 0.5:
        pass
    found = sampler.sample()["process_cpu_percentage"]
    share = 100 * (time.process_time() - used) / (time.monotonic() - wall)
    assert found == pytest.approx(share, rel=0.15)


def test_an_attempt_has_samples_at_intervals_that_double_and_one_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_metrics, "SAMPLES", 2)
    attempt = Ledger(tmp_path).begin("train", "a" * 32, {})
    began = time.time()
    with sampled(attempt, "cpu", seconds=0.1):
        time.sleep(1.0)  # samples after 0.1, 0.2, 0.4, 0.6 and 1.0 s, as far as the machine keeps up
        ended = time.time()
    times = [row["time"] for row in read_log(attempt.ledger.store, attempt.prefix, SYSTEM)]
    assert 3 <= len(times) <= 7
    assert began < times[0] < began + 0.5
    assert ended <= times[-1] < ended + 0.5
    assert list(read_log(attempt.ledger.store, attempt.prefix)) == [], "they are no messages"


def test_an_error_of_the_stage_is_raised_and_leaves_a_last_sample(tmp_path: Path) -> None:
    attempt = Ledger(tmp_path).begin("train", "a" * 32, {})
    with pytest.raises(ValueError, match="no"), sampled(attempt, "cpu"):
        raise ValueError("no")
    assert len(list(read_log(attempt.ledger.store, attempt.prefix, SYSTEM))) == 1


FAMILY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import sys; print(0, flush=True); sys.stdin.read()'])"


def test_descendants_are_those_that_psutil_finds_also_of_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    here, started = psutil.Process(), []
    before = set(descendants(here.pid))
    thread = threading.Thread(
        target=lambda: started.append(
            subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
    )
    thread.start()
    thread.join()
    (parent,) = started
    parent.stdout.readline()
    found = set(descendants(here.pid)) - before
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))  # a kernel that does not list them
    assert set(descendants(here.pid)) - before == found
    (child,) = psutil.Process(parent.pid).children()
    parent.communicate(b"")
    assert found == {parent.pid, child.pid}
    assert descendants(parent.pid) == []
