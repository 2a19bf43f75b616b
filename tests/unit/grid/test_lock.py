"""One live launch per study: taken over from the dead, never from the living."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grid.lock import Held, Lock
from grid.store import LocalStore

HOLD = """
import sys, time
from pathlib import Path
from grid.lock import Held, Lock
from grid.store import LocalStore
while time.time() < float(sys.argv[2]):
    time.sleep(0.01)
try:
    with Lock(LocalStore(Path(sys.argv[1])), f"test {sys.argv[3]}"):
        print("held", flush=True)
        sys.stdin.readline()
except Held as held:
    print(f"refused: {held}", flush=True)
"""


def hold(folder: Path, start: float = 0.0, name: str = "one") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(folder), str(start), name]
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_holder_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with Lock(store, "launch of demo"):
        with pytest.raises(Held) as refused, Lock(store, "sync of demo"):
            pass
        assert "launch of demo by " in str(refused.value)
        assert f"process {os.getpid()}" in str(refused.value)
    with Lock(store, "sync of demo"):
        pass


def test_a_lock_is_freed_by_an_error(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(RuntimeError), Lock(store, "one"):
        raise RuntimeError
    with Lock(store, "two") as lock:
        assert lock.number == 2


def test_a_lock_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        try:
            assert said(process) == "held"
            with pytest.raises(Held, match=f"test one by .*process {process.pid}, since 2"), Lock(LocalStore(tmp_path), "two"):
                pass
        finally:
            process.kill()
        # not even waited for: a zombie holds nothing
        limit = time.monotonic() + 10
        while True:
            try:
                with Lock(LocalStore(tmp_path), "two") as lock:
                    assert lock.number == 2
                break
            except Held:
                assert time.monotonic() < limit
                time.sleep(0.05)


def test_a_lock_of_another_machine_ends_with_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    Lock(store, "one", beat=60).__enter__()
    monkeypatch.undo()
    with pytest.raises(Held, match="@elsewhere"):
        Lock(store, "two").__enter__()
    store.put("lock/000001.beat", b"%f" % (time.time() - 61))
    with Lock(store, "two") as lock:
        assert lock.number == 2


def test_beats_keep_a_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    with Lock(store, "one", beat=0.05):
        first = store.get("lock/000001.beat")
        limit = time.monotonic() + 10
        while store.get("lock/000001.beat") == first:
            assert time.monotonic() < limit
            time.sleep(0.02)


def test_a_missed_beat_does_not_end_the_beating(tmp_path: Path) -> None:
    class Shaky(LocalStore):
        fails = 0

        def put(self, key: str, data: bytes) -> None:
            if key.endswith(".beat") and 0 < self.fails < 3:
                self.fails += 1
                raise OSError("No space left on device")
            super().put(key, data)

    store = Shaky(tmp_path)
    with Lock(store, "one", beat=0.02):
        store.fails = 1
        limit = time.monotonic() + 10
        before = store.get("lock/000001.beat")
        while store.get("lock/000001.beat") == before:
            assert time.monotonic() < limit
            time.sleep(0.02)


def test_a_reused_process_id_is_not_taken_for_the_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr("grid.lock._born", lambda pid: 1000.0)
    Lock(store, "one").__enter__()
    monkeypatch.setattr("grid.lock._born", lambda pid: 1000.9)  # a corrected clock
    with pytest.raises(Held):
        Lock(store, "two").__enter__()
    monkeypatch.setattr("grid.lock._born", lambda pid: 1500.0)
    with Lock(store, "two") as lock:
        assert lock.number == 2


def test_of_eight_processes_that_race_one_wins(tmp_path: Path) -> None:
    start = time.time() + 3.0
    processes = [hold(tmp_path, start, str(number)) for number in range(8)]
    try:
        lines = [said(process) for process in processes]
        assert lines.count("held") == 1, lines
        winner = lines.index("held")
        assert all(f"test {winner} by" in line for line in lines if line != "held"), lines
    finally:
        for process in processes:
            process.communicate("\n", timeout=60)
