import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn

import empty_database
import pytest

from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.tracking.answers import is_outage, words
from grid.tracking.sync import MlflowSync, sync_pass
from grid.tracking.uri import tracking_of


class Answering(BaseHTTPRequestHandler):
    """Answers every request with one status, and counts."""

    status, body, asked = 200, b"", 0

    def _answer(self) -> None:
        type(self).asked += 1
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def answering() -> Iterator[Callable[[int, bytes], str]]:
    """``answering(503, b"body")``: the address of a server that always answers so."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(status: int, body: bytes = b"<html>no JSON</html>") -> str:
        Answering.status, Answering.body, Answering.asked = status, body, 0
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield answer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "it answers 429 (Too Many Requests); it limits the rate of requests; try again later"),
        (500, "it answers 500 (Internal Server Error)"),
        (503, "it answers 503 (Service Unavailable)"),
        (502, "it answers 502 (Bad Gateway)"),
        (401, "it answers 401 (Unauthorized); set MLFLOW_TRACKING_USERNAME"),
        (404, "it answers 404 (Not Found); is it the address of an MLflow server?"),
    ],
)
def test_a_server_that_answers_but_cannot_is_named_by_its_answer(
    make_study: Callable[..., Study], answering: Callable[..., str], status: int, said: str
) -> None:
    address = answering(status)
    study = make_study(axes={"backbone": ["resnet34", "alexnet"]}, protocols=(), explainers=(), tracking=address)
    began = time.monotonic()
    result = sync_pass(study.path)
    assert result.unreachable
    (problem,) = result.problems
    assert problem.startswith(f"{address} cannot be reached or written to ({said}")
    assert time.monotonic() - began < 30
    assert Answering.asked == (3 if status in (429, 500, 502, 503) else 1), "what may pass is tried again, and not for ever"


def test_an_answer_in_mlflows_own_form_is_quoted(make_study: Callable[..., Study], answering: Callable[..., str]) -> None:
    address = answering(400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no such thing"}')
    study = make_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=(), tracking=address)
    (problem,) = sync_pass(study.path).problems
    assert "(it answers INVALID_PARAMETER_VALUE: no such thing)" in problem


def test_a_refused_run_is_no_outage_and_a_refused_user_is_one() -> None:
    from mlflow.exceptions import RestException

    def answer(code: str) -> RestException:
        return RestException({"error_code": code, "message": "of http://me:hunter2@host"})

    assert not is_outage(answer("INVALID_PARAMETER_VALUE"))
    assert is_outage(answer("REQUEST_LIMIT_EXCEEDED"))
    assert is_outage(answer("PERMISSION_DENIED"))
    assert "hunter2" not in words(answer("INTERNAL_ERROR"), "http://me:hunter2@host")


@pytest.mark.parametrize("methods", [("get",), ("stat", "names")])
def test_an_error_of_the_store_is_not_taken_for_one_of_mlflow(
    make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch, methods: tuple[str, ...]
) -> None:
    study = make_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=())
    empty_database.place(study.path.parent)

    mirror = MlflowSync(study, tracking_of(study))

    def broken(self: LocalStore, *arguments: object) -> NoReturn:
        raise OSError("the connection broke")

    with monkeypatch.context() as patch:
        for method in methods:
            patch.setattr(LocalStore, method, broken)
        result = mirror.once()
    assert len(result.problems) == 1
    assert "the study's store cannot be read (OSError: the connection broke)" in result.problems[0]
    assert "cannot be reached" not in result.problems[0]
    assert mirror.once().problems == []


def test_a_server_without_tls_is_named(make_study: Callable[..., Study], answering: Callable[..., str]) -> None:
    (problem,) = sync_pass(make_study(tracking=answering(200).replace("http:", "https:")).path).problems
    assert "it does not speak TLS; is its address http://...?" in problem
