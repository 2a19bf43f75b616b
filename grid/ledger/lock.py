"""A lock with a lease: for the one running launch of a study, and for the one process that computes a stage.

Under a prefix of a store, by default ``lock/``: ``lock/000003.json`` names the holder, is created once and counts as its first
heartbeat; ``lock/000003.beat`` is the last one, rewritten by the holder alone while it lives; ``lock/000003.free``
releases it. A lock can be taken over if it was released, if its last heartbeat is older than the lease, or if its holder was a
process on this machine (in this PID namespace) that no longer runs. On that machine heartbeats are dated by a count of seconds
that corrections of the clock do not move. Elsewhere, the age of a heartbeat is that of its text, by the holder's clock, or of
its file, by the store's, whichever is less: so a holder whose clock is behind keeps its lock. Times in the future do not count.
The holder checks its lock before it starts anything. A holder that could not renew its lease in time, such as a suspended
process, claims the next number if it is still free; otherwise it has lost the lock.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

from grid.abort import LaunchAborted
from grid.late_thread import LateThread
from grid.ledger.sealed import seal, unsealed
from grid.ledger.store_interface import Store
from grid.user_name import user_name

LEASE = 60.0  # seconds without a heartbeat after which a holder counts as dead
BEAT = 10.0  # seconds between heartbeats
AHEAD = 60.0  # seconds: a heartbeat further in the future is damaged, not that of a machine whose clock is ahead
NEVER = float("nan")
SAME = 2.0  # tolerance in seconds for the start of a process, where it is not counted from the start of the machine


class Held(ValueError):
    """Another process holds the lock, such as another launch of this study; ``holder`` is that process in words."""

    def __init__(self, what: str, holder: str) -> None:
        super().__init__(f"{what} is in use: {holder}; wait for it or stop it")
        self.holder = holder


class LockLost(LaunchAborted):
    """The lock was taken over while this process failed to renew its lease."""


class Lock:
    """A context manager that holds the lock.

    Args:
        purpose: what the holder does, as shown to others: "launch of demo"
        lost: called once, from the thread that renews the lease, when the lock turns out to be lost.
        prefix, what: where the lock lies in the store, and what is locked, as named in messages.

    Raises:
        Held: on entry, if another process holds the lock; the message names the holder.
    """

    def __init__(
        self,
        store: Store,
        purpose: str,
        beat: float = BEAT,
        lease: float = LEASE,
        lost: Callable[[LockLost], None] | None = None,
        prefix: str = "lock",
        what: str = "this study",
    ) -> None:
        self.store, self.purpose, self.beat, self.lease = store, purpose, beat, lease
        self.prefix, self.what = prefix, what
        self.token = uuid.uuid4().hex
        self.number = 0
        self._on_lost = lost
        self._lost: LockLost | None = None
        self._beaten = 0.0  # when the last heartbeat was written, in the seconds of `_clock`
        self._mutex = threading.Lock()
        self._stop = threading.Event()
        self._beats = LateThread(beat, self._keep, "facegrid-lock")

    def __enter__(self) -> Lock:
        while True:
            newest = self._newest()
            if newest and (holder := self._holder(newest)) is not None:
                raise Held(self.what, _words(holder))
            if self._take(newest + 1):
                break
        self._beats.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._beats.cancel()
        with self._mutex, contextlib.suppress(OSError):  # on a full disk: the process ends, and its lock with it
            self.store.create(f"{self.prefix}/{self.number:06d}.free", b"")

    def check(self) -> None:
        """Checks that the lock is still held; called before anything is started or written.

        Raises:
            LockLost: another process has taken over; the message names the new holder.
        """
        with self._mutex:
            if self._lost is None:
                try:
                    self._renew(beat=False)
                except OSError as error:  # the disk is unavailable, so nothing can have taken over unless the lease expired
                    if self._lapsed():
                        self._lost = LockLost(f"the lock of {self.what} cannot be renewed ({error.strerror or error})")
            if self._lost is not None:
                raise self._lost

    def _keep(self) -> None:
        while True:
            with self._mutex:
                if self._stop.is_set():
                    return
                with contextlib.suppress(OSError):  # a temporarily full or unavailable disk costs a heartbeat, not the lock
                    self._renew(beat=True)
                lost = self._lost
            if lost is not None:
                if self._on_lost is not None:
                    self._on_lost(lost)
                return
            self._stop.wait(self.beat)

    def _renew(self, beat: bool) -> None:
        """Renews the lease, or records that the lock is lost."""
        newest = self._newest()
        if newest <= self.number and self._lapsed():
            if self._take(self.number + 1):  # no launch took over; the exclusive create is decisive
                return
            newest = self._newest()
        if newest > self.number:
            holder = self._record(newest)
            if holder.get("token") == self.token:  # taken by this process, whose store reported an error
                self.number, self._beaten = newest, holder["counted"]
                self._renew(beat)
                return
            self._lost = LockLost(
                f"this process did not run for {_clock() - self._beaten:.0f} s, and {self.what} was taken over: "
                f"{_words(holder)}; this process ends here, and what it finished is kept"
            )
        elif beat:
            self._beat(self.number)

    def _lapsed(self) -> bool:
        """Whether other processes may consider the lease expired, now or soon."""
        return _clock() - self._beaten >= max(self.lease - 2 * self.beat, self.lease / 2)

    def _take(self, number: int) -> bool:
        """Tries to take a free lock; False if another process was faster."""
        key = f"{self.prefix}/{number:06d}"
        if self.store.size(f"{key}.json") is not None:
            return False
        now, beaten = time.time(), _clock()
        created = self.store.create(f"{key}.json", seal({**self._me(), "time": now, "counted": beaten}))
        if not created and self._record(number).get("token") != self.token:
            return False
        self.number, self._beaten = number, beaten
        with contextlib.suppress(OSError):  # the record counts as a heartbeat, too
            self.store.put(f"{key}.beat", _text(now, beaten))  # only now: the loser of a race would write over the winner's
        return True

    def _beat(self, number: int) -> None:
        now, beaten = time.time(), _clock()
        self.store.put(f"{self.prefix}/{number:06d}.beat", _text(now, beaten))
        self._beaten = beaten

    def _newest(self) -> int:
        names = [name for name in self.store.names(self.prefix) if name.endswith(".json") and name[:6].isdigit()]
        return int(names[-1][:6]) if names else 0

    def _me(self) -> dict[str, Any]:
        return {
            "token": self.token, "purpose": self.purpose, "host": socket.gethostname(), "processes": _processes(),
            "pid": os.getpid(), "began": _began(os.getpid()), "user": user_name(),
        }  # fmt: skip

    def _record(self, number: int) -> dict[str, Any]:
        """The stored record of lock ``number``; empty if the file is damaged."""
        key = f"{self.prefix}/{number:06d}.json"
        return unsealed(self.store.get(key), key)

    def _holder(self, number: int) -> dict[str, Any] | None:
        """The live holder of lock ``number``, or None.

        The record counts besides the heartbeat, which may not be written yet, or be that of a process which lost the race for
        this number: earlier versions wrote theirs before the record.
        """
        key = f"{self.prefix}/{number:06d}"
        if self.store.size(f"{key}.free") is not None:
            return None
        holder = self._record(number)
        alive = _alive(holder)
        if alive is False:
            return None
        beaten, counted = self._last_beat(number)
        if alive and counted is not None:
            return holder if _clock() - max(counted, holder.get("counted", counted)) < self.lease else None
        now = time.time()
        if alive and not beaten <= now + AHEAD:
            return holder  # it will rewrite what is damaged
        files = (f"{key}.beat", f"{key}.json") if holder else (f"{key}.beat",)  # a damaged record is not what was written then
        times = chain((beaten, holder.get("time", NEVER)), map(self._written, files))
        return holder if any(one <= now + AHEAD and now - one < self.lease for one in times) else None

    def _written(self, key: str) -> float:
        """When an object was written, by the store's clock; not a number if that is unknown."""
        found = self.store.stat(key)
        return NEVER if found is None or found.written is None else found.written

    def _last_beat(self, number: int) -> tuple[float, float | None]:
        """The last heartbeat of lock ``number``: unix seconds, not a number if unreadable, and the seconds of ``_clock``.

        The record if there is no other: a holder that runs writes one within seconds, so its lock is not this one.
        """
        beat = self.store.get(f"{self.prefix}/{number:06d}.beat")
        if beat is None:
            record = self._record(number)
            return record.get("time", NEVER), record.get("counted")
        try:
            time, *counted = map(float, beat.split())
        except ValueError:
            return NEVER, None
        return time, counted[0] if counted and math.isfinite(counted[0]) else None


def live_holder(store: Store, prefix: str = "lock") -> dict[str, Any] | None:
    """The current holder of a lock: ``purpose``, ``user``, ``host``, ``pid``, ``time``, ...; None if it is free."""
    lock = Lock(store, "look", prefix=prefix)
    newest = lock._newest()
    return lock._holder(newest) if newest else None


def last_heard(store: Store, token: str, prefix: str = "lock") -> float | None:
    """When a former holder was last heard of, in unix seconds: 0 if nothing is known of it; None while it holds the lock.

    Args:
        token: of the holder, see ``live_holder``
    """
    lock = Lock(store, "look", prefix=prefix)
    for number in range(lock._newest(), 0, -1):
        if lock._record(number).get("token") == token:
            break
    else:
        return 0.0
    if number == lock._newest() and lock._holder(number) is not None:
        return None
    key = f"{prefix}/{number:06d}"
    times = (lock._last_beat(number)[0], lock._record(number).get("time", NEVER), lock._written(f"{key}.free"))
    return max((float(one) for one in times if math.isfinite(one)), default=0.0)


def _text(now: float, beaten: float) -> bytes:
    """A heartbeat: unix seconds, and the seconds of ``_clock``."""
    return b"%f %f" % (now, beaten)


def _alive(holder: dict[str, Any]) -> bool | None:
    """Whether the holder's process runs; None if that cannot be determined from here.

    A process id is meaningful only on the same machine in the same PID namespace: containers share host names.
    """
    if holder.get("host") != socket.gethostname() or holder.get("processes") != _processes():
        return None
    began = _began(int(holder["pid"]))
    return began is not None and abs(began - float(holder.get("began", began))) <= SAME


def _processes() -> str:
    """Identifies the set of processes whose ids are visible to this process: the machine's boot and the PID namespace."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""  # not Linux: no PID namespaces


def _clock() -> float:
    """Seconds since the machine started, also while it was suspended; corrections of the clock do not move them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _began(pid: int) -> float | None:
    """When the process started; distinguishes the holder from a later process with the same id. None if it does not run.

    On Linux in seconds since the machine started: psutil's unix time moves by each correction of the clock.
    """
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in (b"Z", b"X") else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _words(holder: dict[str, Any]) -> str:
    if not {"purpose", "user", "host", "pid", "time"} <= holder.keys():
        return "by a process that cannot be named, since its lock file is damaged"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder["time"]))
    return f"{holder['purpose']} by {holder['user']}@{holder['host']}, process {holder['pid']}, since {since}"
