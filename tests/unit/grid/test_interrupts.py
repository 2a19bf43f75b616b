"""Interrupts that cannot be lost."""

import contextlib
import os
import signal

import pytest

from grid.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_somebody_swallowed_is_raised_again(number: signal.Signals) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(number, stop)
    try:
        interrupts = Interrupts()
        signal.signal(number, signal.SIG_DFL)  # as ray.init does
        interrupts.listen()
        interrupts.again()
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            interrupts.again()
        interrupts.leave()
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
