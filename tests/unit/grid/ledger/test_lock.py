"""One live launch per study: taken over from the dead, never from the living."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grid.ledger.lock import Held, Lock, LockLost, _began
from grid.ledger.sealed import Damaged, seal, unseal
from grid.ledger.store import LocalStore
from grid.user_name import user_name

HOLD = """
import sys, time
from pathlib import Path
from grid.ledger.lock import Held, Lock, _began
from grid.ledger.store import LocalStore
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
    root = Path(__file__).resolve().parents[4]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


WORK = """
import sys, time
from pathlib import Path
from grid.ledger.lock import Lock, LockLost, _began
from grid.ledger.store import LocalStore
heard = []
with Lock(LocalStore(Path(sys.argv[1])), "launch one", beat=0.2, lease=2.0, lost=heard.append) as lock:
    print("held", flush=True)
    try:
        while True:
            lock.check()
            Path(sys.argv[1], "worked").write_text(f"{time.time()}")
            time.sleep(0.02)
    except LockLost as lost:
        print(f"lost: {lost}", flush=True)
    time.sleep(0.5)
    print(f"heard {len(heard)}", flush=True)
"""


def work(folder: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[4]
    return subprocess.Popen([sys.executable, "-c", WORK, str(folder)], cwd=root, stdout=subprocess.PIPE, text=True)


def stop_for_longer_than_its_lease(process: subprocess.Popen[str], folder: Path) -> None:
    """Stops a process started by ``work`` after it has begun to work."""
    assert said(process) == "held"
    limit = time.monotonic() + 10
    while not (folder / "worked").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.5)


def beaten(folder: Path, ago: float) -> None:
    """Makes the last heartbeat of the first lock one of so many seconds ago, and its record as old."""
    file, then = folder / "lock" / "000001.beat", time.time() - ago
    file.write_bytes(b"%f" % then)
    os.utime(file, (then, then))
    taken(folder, ago)


def taken(folder: Path, ago: float) -> None:
    """Makes the record of the first lock one of so many seconds ago, if it is not damaged."""
    file, then = folder / "lock" / "000001.json", time.time() - ago
    with contextlib.suppress(Damaged):
        record = unseal(file.read_bytes(), file)
        file.write_bytes(seal({**record, "time": record["time"] - ago, "counted": record["counted"] - ago}))
        os.utime(file, (then, then))


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
    beaten(tmp_path, 61)
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


def test_a_holder_that_was_stopped_meets_its_successor_and_steps_down(tmp_path: Path) -> None:
    with work(tmp_path) as process:
        try:
            stop_for_longer_than_its_lease(process, tmp_path)
            with Lock(LocalStore(tmp_path), "launch two", lease=2.0):
                continued = time.time()
                process.send_signal(signal.SIGCONT)
                line = said(process)
                assert line.startswith("lost: this process did not run for ")
                assert f"taken over: launch two by {user_name()}@" in line
                assert said(process) == "heard 1"
                begun = float((tmp_path / "worked").read_text())  # it may have been stopped while it wrote this
                assert begun < continued, "it started nothing after it was continued"
                process.wait(10)
        finally:
            process.kill()


def test_a_holder_that_was_stopped_goes_on_where_nobody_took_over(tmp_path: Path) -> None:
    with work(tmp_path) as process:
        try:
            stop_for_longer_than_its_lease(process, tmp_path)
            worked = (tmp_path / "worked").read_text()
            process.send_signal(signal.SIGCONT)
            limit = time.monotonic() + 10
            while (tmp_path / "worked").read_text() == worked:
                assert time.monotonic() < limit
            with pytest.raises(Held, match="launch one"), Lock(LocalStore(tmp_path), "launch two", lease=2.0):
                pass
            assert (tmp_path / "lock" / "000002.json").exists(), "the lapsed lease was taken again under a new number"
        finally:
            process.kill()


def test_of_a_lapsed_holder_and_a_successor_only_one_goes_on(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        store = LocalStore(folder)
        first = Lock(store, "one", beat=60, lease=120.0)
        first.__enter__()
        first._beaten -= 200
        beaten(folder, 200)
        second = hold(folder, time.time() + 0.5) if number == 0 else None
        try:
            if second is None:  # the other order: the successor comes after the renewal
                first.check()
                with pytest.raises(Held, match="one by"):
                    Lock(store, "two").__enter__()
                continue
            assert said(second) == "held"
            with pytest.raises(LockLost, match="test one by"):
                first.check()
            with pytest.raises(LockLost):
                first.check()
        finally:
            if second is not None:
                second.communicate("\n", timeout=60)


def test_a_process_id_says_nothing_in_another_pid_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers may share a host name; there the holder's process id is free or belongs to some other process."""
    store = LocalStore(tmp_path)
    monkeypatch.setattr("grid.ledger.lock._processes", lambda: "boot pid:[1]")
    Lock(store, "one", beat=60).__enter__()
    monkeypatch.setattr("grid.ledger.lock._processes", lambda: "boot pid:[2]")
    monkeypatch.setattr("grid.ledger.lock._began", lambda pid: None)
    with pytest.raises(Held, match="one by"):
        Lock(store, "two").__enter__()
    monkeypatch.setattr("grid.ledger.lock._processes", lambda: "boot pid:[1]")
    with Lock(store, "two") as lock:
        assert lock.number == 2


@pytest.mark.parametrize("damage", [b"", b'{"token": "1", "ho', b"\xff\x00", b"[1]"])
def test_a_damaged_lock_file_is_held_as_long_as_its_beat(tmp_path: Path, damage: bytes) -> None:
    store = LocalStore(tmp_path)
    with Lock(store, "one"):
        store.put("lock/000001.json", damage)
        with pytest.raises(Held, match="by a process that cannot be named"):
            Lock(store, "two").__enter__()
        beaten(tmp_path, 61)
        with Lock(store, "two") as lock:
            assert lock.number == 2


@pytest.mark.parametrize("damage", [b"", b"17952", b"soon", None])
def test_a_damaged_beat_keeps_a_living_holder_and_frees_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    store = LocalStore(tmp_path)
    Lock(store, "one", beat=60).__enter__()
    if damage is None:
        (tmp_path / "lock" / "000001.beat").unlink()
    else:
        store.put("lock/000001.beat", damage)
    if damage != b"17952":  # a number, so it is believed: long ago
        with pytest.raises(Held, match="one by"):
            Lock(store, "two").__enter__()
    monkeypatch.setattr("grid.ledger.lock._began", lambda pid: None)
    with Lock(store, "two") as lock:
        assert lock.number == 2


@pytest.mark.parametrize("damage", [b"99999999999.0", b"inf", b"nan", b"1e300"])
def test_a_beat_from_the_future_counts_as_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    """On another machine, the time at which the file was written decides; on this one, the process."""
    store = LocalStore(tmp_path)
    Lock(store, "one", beat=60).__enter__()
    store.put("lock/000001.beat", damage)
    taken(tmp_path, 61)
    written = time.time() - 61
    os.utime(tmp_path / "lock/000001.beat", (written, written))
    with pytest.raises(Held, match="one by"):  # its process runs
        Lock(store, "two").__enter__()
    monkeypatch.setattr("grid.ledger.lock._processes", lambda: "boot of another machine")
    os.utime(tmp_path / "lock/000001.beat")
    with pytest.raises(Held, match="one by"):
        Lock(store, "two").__enter__()
    os.utime(tmp_path / "lock/000001.beat", (written, written))
    with Lock(store, "two") as lock:
        assert lock.number == 2


def test_a_clock_that_is_ahead_by_less_than_a_minute_keeps_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    Lock(store, "one", beat=60).__enter__()
    monkeypatch.setattr("grid.ledger.lock._processes", lambda: "boot of another machine")
    store.put("lock/000001.beat", b"%f" % (time.time() + 50))
    taken(tmp_path, 61)
    written = time.time() - 61
    os.utime(tmp_path / "lock/000001.beat", (written, written))
    with pytest.raises(Held, match="one by"):
        Lock(store, "two").__enter__()


def jump(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Moves the clock of this process, as a correction would; what counts from the start of the machine does not move."""
    true = time.time
    monkeypatch.setattr("grid.ledger.lock.time.time", lambda: true() + seconds)


@pytest.mark.parametrize("seconds", [-86400, -300, 300, 86400])
def test_a_jump_of_the_clock_takes_no_lock_from_a_process_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    store = LocalStore(tmp_path)
    with Lock(store, "one", beat=60) as lock:
        jump(monkeypatch, seconds)
        lock.check()
        with pytest.raises(Held, match="one by"):
            Lock(store, "two").__enter__()
        lock._beat(1)
        monkeypatch.undo()  # and back again
        lock.check()
        with pytest.raises(Held, match="one by"):
            Lock(store, "two").__enter__()
        assert lock.number == 1


@pytest.mark.parametrize("seconds", [-86400, -300, 86400])
def test_a_wrong_clock_on_another_machine_takes_no_lock_while_it_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    store = LocalStore(tmp_path)
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "elsewhere")
        jump(there, seconds)
        Lock(store, "one", beat=60).__enter__()
    with pytest.raises(Held, match="@elsewhere"):
        Lock(store, "two").__enter__()
    past = time.time() - 61
    os.utime(tmp_path / "lock/000001.beat", (past, past))
    taken(tmp_path, 61)
    with Lock(store, "two") as lock:
        assert lock.number == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil says when a process started")
def test_the_start_of_a_process_is_counted_from_that_of_the_machine() -> None:
    import psutil

    began = _began(os.getpid())
    assert began is not None
    assert began == pytest.approx(psutil.Process().create_time() - psutil.boot_time(), abs=1.5)
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        limit = time.monotonic() + 60
        while _began(child.pid) is not None:  # a zombie holds nothing
            assert time.monotonic() < limit
            time.sleep(0.02)
    assert _began(child.pid) is None


def test_a_reused_process_id_is_not_taken_for_the_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr("grid.ledger.lock._began", lambda pid: 1000.0)
    Lock(store, "one").__enter__()
    monkeypatch.setattr("grid.ledger.lock._began", lambda pid: 1000.9)  # elsewhere than on Linux, a corrected clock
    with pytest.raises(Held):
        Lock(store, "two").__enter__()
    monkeypatch.setattr("grid.ledger.lock._began", lambda pid: 1500.0)
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
