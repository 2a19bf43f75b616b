"""Two processes want one free lock: the heartbeat of the loser is never taken for that of the winner."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grid.ledger import lock
from grid.ledger.lock import Held, Lock, live_holder
from grid.ledger.store import LocalStore


@contextmanager
def elsewhere(hours: float) -> Iterator[None]:
    """On another machine, which started so many hours later than this one."""
    clock = lock._clock
    with pytest.MonkeyPatch.context() as there:
        there.setattr("grid.ledger.lock._clock", lambda: clock() - 3600 * hours)
        there.setattr("socket.gethostname", lambda: "elsewhere")
        yield


class Late(LocalStore):
    """Another process takes the lock after this one has found it free."""

    winner: Lock | None = None

    def size(self, key: str) -> int | None:
        found = super().size(key)
        if key.endswith(".json") and self.winner is not None:
            winner, self.winner = self.winner, None
            with pytest.MonkeyPatch.context() as here:
                here.setattr("grid.ledger.lock._clock", CLOCK)
                here.setattr("socket.gethostname", HOST)
                winner.__enter__()
        return found


CLOCK, HOST = lock._clock, socket.gethostname


@pytest.mark.parametrize("prefix", ["lock", "train/1/lease"])
@pytest.mark.parametrize("hours", [-1.0, 1.0])
def test_the_loser_of_a_race_does_not_shorten_the_lease_of_the_winner(tmp_path: Path, prefix: str, hours: float) -> None:
    late, store = Late(tmp_path), LocalStore(tmp_path)
    late.winner = winner = Lock(store, "winner", beat=60, prefix=prefix)
    with elsewhere(hours):
        with pytest.raises(Held, match="winner by"):
            Lock(late, "loser", prefix=prefix).__enter__()
        assert live_holder(store, prefix) is not None
    with pytest.raises(Held, match="winner by"):
        Lock(store, "third", prefix=prefix).__enter__()
    winner.check()
    winner.__exit__(None, None, None)


def test_a_lock_is_held_before_its_first_heartbeat_is_written(tmp_path: Path) -> None:
    seen: list[str] = []

    class Watched(LocalStore):
        def put(self, key: str, data: bytes) -> None:
            if key.endswith(".beat") and not seen:
                for hours in (0.0, 1.0):
                    with elsewhere(hours), pytest.raises(Held, match="one by"):
                        Lock(LocalStore(tmp_path), "two").__enter__()
                with pytest.raises(Held, match="one by"):
                    Lock(LocalStore(tmp_path), "two").__enter__()
                seen.append(key)
            super().put(key, data)

    with Lock(Watched(tmp_path), "one"):
        assert seen == ["lock/000001.beat"]


def test_a_disk_that_is_full_for_the_first_heartbeat_costs_no_lock(tmp_path: Path) -> None:
    class Full(LocalStore):
        def put(self, key: str, data: bytes) -> None:
            raise OSError("No space left on device")

    with Lock(Full(tmp_path), "one") as held:
        held.check()
        with pytest.raises(Held, match="one by"):
            Lock(LocalStore(tmp_path), "two").__enter__()
    with Lock(LocalStore(tmp_path), "two"):
        pass


@pytest.mark.parametrize("count", [0.0, 1e9])
def test_a_heartbeat_that_a_loser_of_an_earlier_version_wrote_takes_no_lock(tmp_path: Path, count: float) -> None:
    store = LocalStore(tmp_path)
    with Lock(store, "one", beat=60):
        store.put("lock/000001.beat", b"%f %f" % (time.time() - 120, count))
        with pytest.raises(Held, match="one by"):
            Lock(store, "two").__enter__()
        with elsewhere(1.0), pytest.raises(Held, match="one by"):
            Lock(store, "two").__enter__()


def test_a_heartbeat_that_was_left_before_the_lock_was_taken_takes_no_lock(tmp_path: Path) -> None:
    """Earlier versions left one where they were killed between their heartbeat and their record."""
    store = LocalStore(tmp_path)

    class Broken(LocalStore):
        def put(self, key: str, data: bytes) -> None:
            raise OSError("Input/output error")

    (tmp_path / "lock").mkdir()
    store.put("lock/000001.beat", b"%f %f" % (time.time() - 500, lock._clock() - 500))
    with Lock(Broken(tmp_path), "one", beat=60), pytest.raises(Held, match="one by"):
        Lock(store, "two").__enter__()


class Unsure(LocalStore):
    """Takes locks, but says that it did not: with an error, or as if another process had been faster."""

    answer: OSError | bool = True

    def create(self, key: str, data: bytes) -> bool:
        created = super().create(key, data)
        if isinstance(self.answer, OSError):
            raise self.answer
        return created and self.answer


def test_a_process_knows_a_lock_that_it_took_without_being_told(tmp_path: Path) -> None:
    store = Unsure(tmp_path)
    store.answer = False
    with Lock(store, "one", beat=60) as held:
        held.check()
        held._beaten -= 100  # it did not run for so long
        store.answer = OSError("the answer was lost")
        with pytest.raises(OSError, match="lost"):
            held._renew(beat=True)
        assert held.number == 1
        store.answer = True
        held.check()
        assert held.number == 2
        with pytest.raises(Held, match="one by"):
            Lock(LocalStore(tmp_path), "two").__enter__()


def test_a_lock_that_never_had_a_heartbeat_ends_with_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process, which does not know that it holds it, waits for it itself."""
    store = Unsure(tmp_path)
    store.answer = OSError("the answer was lost")
    with pytest.raises(OSError, match="lost"):
        Lock(store, "one").__enter__()
    assert live_holder(store) is not None
    clock, wall = lock._clock, time.time
    monkeypatch.setattr("grid.ledger.lock._clock", lambda: clock() + lock.LEASE)
    monkeypatch.setattr("grid.ledger.lock.time.time", lambda: wall() + lock.LEASE)
    assert live_holder(store) is None
