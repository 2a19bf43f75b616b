import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from grid.ledger.study import Study
from grid.tracking import uri
from grid.tracking.bounded import Bounded, within
from grid.tracking.sync import sync_pass


@pytest.fixture
def trickling() -> Iterator[str]:
    """The address of a server that sends a byte of its answer every tenth of a second, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
            while not ended.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    ended.set()
    listener.close()


def test_a_server_that_trickles_is_left_in_one_line(
    make_study: Callable[..., Study], trickling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uri, "Bounded", lambda client: Bounded(client, 1.0))
    study = make_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=(), tracking=trickling)
    began = time.monotonic()
    result = sync_pass(study.path)
    assert time.monotonic() - began < 30
    assert result.unreachable
    (problem,) = result.problems
    assert problem.startswith(f"{trickling} cannot be reached or written to (no complete answer within 1 s)")


def test_what_a_call_returns_and_raises_is_passed_on() -> None:
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 // 0)
    with pytest.raises(TimeoutError, match="within 0 s"):
        within(0.05, lambda: time.sleep(5))
