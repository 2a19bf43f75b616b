"""A background thread ends what the main thread does."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from grid.abort import SIGNAL, Aborter, LaunchAborted


def later(aborter: Aborter, line: str = "gone") -> None:
    threading.Timer(0.1, aborter.abort, [LaunchAborted(line)]).start()


def wait(aborter: Aborter, seconds: float = 30) -> None:
    later(aborter)
    time.sleep(seconds)


def catch_all(aborter: Aborter) -> None:
    later(aborter)
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with contextlib.suppress(Exception):
            time.sleep(1)


def take_the_signal(aborter: Aborter) -> None:
    taken = threading.Event()
    signal.signal(SIGNAL, lambda number, frame: taken.set())
    later(aborter)
    assert taken.wait(30)


def test_a_waiting_main_thread_gets_the_error() -> None:
    aborter = Aborter()
    before = signal.getsignal(SIGNAL)
    with pytest.raises(LaunchAborted, match="gone"), aborter.armed():
        wait(aborter)
    assert signal.getsignal(SIGNAL) is before


def test_code_that_catches_every_exception_does_not_swallow_it() -> None:
    """As Tune does."""
    aborter = Aborter()
    with pytest.raises(LaunchAborted), aborter.armed():
        catch_all(aborter)


def test_code_that_takes_the_signal_and_ends_as_if_nothing_had_happened_does_not_swallow_it() -> None:
    """As Tune does with SIGUSR1: it ends its loop, and returns."""
    aborter = Aborter()
    with pytest.raises(LaunchAborted, match="gone"), aborter.armed():
        take_the_signal(aborter)


def test_the_signal_is_none_that_tune_or_lightning_take() -> None:
    from ray.tune.tune import _setup_signal_catching

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1, SIGNAL)}
    try:
        _setup_signal_catching()
        changed = {number for number, handler in before.items() if signal.getsignal(number) is not handler}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert changed == {signal.SIGINT, signal.SIGUSR1}
    assert SIGNAL not in changed


def test_an_outer_block_is_ended_through_an_inner_one() -> None:
    outer, inner = Aborter(), Aborter()
    with pytest.raises(LaunchAborted, match="gone"), outer.armed(), inner.armed():
        wait(outer)


def test_ctrl_c_stays_what_it_is() -> None:
    with pytest.raises(KeyboardInterrupt), Aborter().armed():
        raise KeyboardInterrupt


def test_an_error_from_before_the_block_is_raised_on_entry() -> None:
    aborter = Aborter()
    aborter.abort(LaunchAborted("early"))
    with pytest.raises(LaunchAborted, match="early"), aborter.armed():
        pytest.fail("the block must not begin")


def test_a_main_thread_that_hangs_is_ended_with_the_same_line() -> None:
    program = (
        "import threading\nfrom grid.abort import Aborter, LaunchAborted\n"
        "aborter = Aborter(patience=0.5)\n"
        "threading.Timer(0.2, aborter.abort, [LaunchAborted('the raylet has ended')]).start()\n"
        "with aborter.armed():\n"
        "    try:\n"
        "        threading.Event().wait(30)\n"
        "    finally:\n"
        "        threading.Event().wait(30)\n"
    )
    root = Path(__file__).resolve().parents[3]
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "\nfacegrid: the raylet has ended\n"
    assert time.monotonic() - began < 25
