"""The first signal ends a command in order, another one at once; each case in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grid.cli.interrupts import AT_ONCE, STOPPING

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """
import os, signal, sys, time
from grid.cli.interrupts import Interrupts
interrupts = Interrupts()
interrupts.install()
interrupts.install_ctrl_c()
first, second, pause, where = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
def again():
    time.sleep(pause)
    {restore}
    os.kill(os.getpid(), second)
    time.sleep(0.1)
    print("in order", flush=True)
if where == "exit":
    import atexit
    atexit.register(again)
earlier = signal.getsignal(second)
try:
    os.kill(os.getpid(), first)
    time.sleep(60)
except KeyboardInterrupt:
    if where == "cleanup":
        again()
    sys.exit(130)
"""


def ended(first: int, second: int, pause: float, where: str = "cleanup", restore: str = "") -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-c", PROGRAM.format(restore=restore), str(first), str(second), str(pause), where]
    done = subprocess.run(command, capture_output=True, timeout=60, cwd=ROOT, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("where", ["cleanup", "exit"])
@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM), (signal.SIGHUP, signal.SIGINT)]
)
def test_another_signal_ends_the_process_at_once(first: int, second: int, where: str) -> None:
    said = STOPPING + AT_ONCE if first == signal.SIGINT else AT_ONCE
    assert ended(first, second, 0.3, where) == (130, b"", said)


def test_a_handler_that_was_put_back_knows_of_the_first_signal() -> None:
    """Lightning does so after a training."""
    code, out, err = ended(signal.SIGINT, signal.SIGTERM, 0.3, restore="signal.signal(second, earlier)")
    assert (code, out, err) == (130, b"", STOPPING + AT_ONCE)


def test_the_same_request_twice_is_one() -> None:
    assert ended(signal.SIGTERM, signal.SIGTERM, 0.0) == (130, b"in order\n", b"")


def test_an_ignored_hangup_stays_ignored() -> None:
    program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + PROGRAM.format(restore="")
    command = [sys.executable, "-c", program, str(int(signal.SIGTERM)), str(int(signal.SIGHUP)), "0.3", "cleanup"]
    done = subprocess.run(command, capture_output=True, timeout=60, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"in order\n", b"")
