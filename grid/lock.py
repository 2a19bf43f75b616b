"""One live launch per study: a lock with a lease, on the same store as the ledger.

``lock/000003.json`` names the holder and is created once; ``lock/000003.beat`` is rewritten while the holder lives;
``lock/000003.free`` ends it. A lock is taken over when it was freed, when its last beat is older than the lease, or when its
holder was a process of this machine that no longer runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from types import TracebackType
from typing import Any

from grid.store import Store

LEASE = 60.0  # seconds without a beat after which a holder counts as gone
BEAT = 10.0  # seconds between beats
SAME = 2.0  # seconds; what a corrected clock may move the time at which a process is said to have started


class Held(ValueError):
    """Another launch of this study is alive."""


class Lock:
    """Held while in a ``with`` block.

    Raises:
        Held: on entry, when somebody else holds it; the message names the holder.
    """

    def __init__(self, store: Store, purpose: str, beat: float = BEAT, lease: float = LEASE) -> None:
        self.store, self.purpose, self.beat, self.lease = store, purpose, beat, lease
        self.token = uuid.uuid4().hex
        self.number = 0
        self._stop = threading.Event()

    def __enter__(self) -> Lock:
        while True:
            names = [name for name in self.store.names("lock") if name.endswith(".json")]
            newest = int(names[-1][:6]) if names else 0
            if newest and (holder := self._holder(newest)):
                raise Held(
                    f"this study is in use: {holder['purpose']} by {holder['user']}@{holder['host']}, process {holder['pid']}, "
                    f"since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(holder['time']))}; wait for it or stop it"
                )
            self.number = newest + 1
            self.store.put(f"lock/{self.number:06d}.beat", b"%f" % time.time())
            if self.store.create(f"lock/{self.number:06d}.json", json.dumps(self._me()).encode()):
                break
        threading.Thread(target=self._keep, daemon=True, name="facegrid-lock").start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self.store.create(f"lock/{self.number:06d}.free", b"")

    def _keep(self) -> None:
        while not self._stop.wait(self.beat):
            with contextlib.suppress(OSError):  # a disk that is full or away for a moment costs a beat, not the lock
                self.store.put(f"lock/{self.number:06d}.beat", b"%f" % time.time())

    def _me(self) -> dict[str, Any]:
        return {
            "token": self.token, "purpose": self.purpose, "host": socket.gethostname(), "pid": os.getpid(),
            "born": _born(os.getpid()), "user": os.environ.get("USER") or str(os.getuid()), "time": time.time(),
        }  # fmt: skip

    def _holder(self, number: int) -> dict[str, Any] | None:
        """Who holds lock ``number`` and lives, or None."""
        if self.store.size(f"lock/{number:06d}.free") is not None:
            return None
        holder: dict[str, Any] = json.loads(self.store.get(f"lock/{number:06d}.json") or b"{}")
        if holder["host"] == socket.gethostname():
            born = _born(holder["pid"])
            if born is None or abs(born - holder["born"]) > SAME:
                return None
        beat = float(self.store.get(f"lock/{number:06d}.beat") or 0)
        return holder if time.time() - beat < self.lease else None


def _born(pid: int) -> float | None:
    """When the process started, so that a reused process id is not taken for the holder."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
