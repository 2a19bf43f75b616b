"""Threads that start late or, where they are not needed so long, never."""

from __future__ import annotations

import os
import threading
import time

from grid.late_thread import LateThread


def test_a_thread_starts_after_its_time_and_those_that_are_due_first_start_first() -> None:
    began, order, all_ran = time.monotonic(), [], threading.Semaphore(0)

    def noted(name: str) -> None:
        order.append((name, time.monotonic() - began, threading.current_thread().name))
        all_ran.release()

    for name, seconds in (("late", 0.4), ("early", 0.1), ("middle", 0.2)):
        LateThread(seconds, lambda name=name: noted(name), name).start()
    assert all(all_ran.acquire(timeout=60) for _ in range(3))
    assert [name for name, _, _ in order] == ["early", "middle", "late"]
    assert all(after >= due for (_, after, _), due in zip(order, (0.1, 0.2, 0.4), strict=True))
    assert [thread for _, _, thread in order] == ["early", "middle", "late"]


def test_one_that_was_joined_in_time_never_starts() -> None:
    ran, later = threading.Event(), threading.Event()
    cancelled = LateThread(0.05, ran.set, "cancelled")
    cancelled.start()
    cancelled.join()
    LateThread(0.2, later.set, "later").start()
    assert later.wait(60)
    assert not ran.is_set()


def test_join_waits_for_a_target_that_runs_and_a_target_that_blocks_delays_no_other() -> None:
    began, free, other, ended = threading.Event(), threading.Event(), threading.Event(), []

    def block() -> None:
        began.set()
        free.wait(60)
        ended.append(True)

    blocking = LateThread(0.0, block, "blocking")
    blocking.start()
    assert began.wait(60)
    LateThread(0.01, other.set, "other").start()
    assert other.wait(60)
    threading.Timer(0.2, free.set).start()
    blocking.join()
    assert ended == [True]


def test_a_forked_process_starts_its_own() -> None:
    ran = threading.Event()
    LateThread(0.0, ran.set, "parent").start()
    assert ran.wait(60)
    pid = os.fork()
    if pid == 0:
        ran.clear()
        LateThread(0.0, ran.set, "child").start()
        os._exit(0 if ran.wait(60) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
