import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from human_studies import bundle, collecting, post, raw

from grid.human_study.collector import CSP, collector
from grid.human_study.design import PUBLIC, read_design
from grid.spec.grid_file import BadInput

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("human") / "bundle"
    bundle(found)
    return found


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with collecting(folder) as (found, _):
        yield found


def test_only_files_of_the_design_are_served_and_every_reply_is_closed_to_other_hosts(folder: Path, url: str) -> None:
    design = read_design(folder)
    some = ["", "study.js", "jspsych/jspsych.js", f"faces/{design.pairs[0].id}-left.jpg", "maps/A/scale.jpg"]
    for name in some:
        status, headers, body = raw(url, "GET", f"/{name}")
        assert status == 200
        assert body == (folder / PUBLIC / (name or "index.html")).read_bytes()
        assert headers["content-security-policy"] == CSP
    for name in (
        "design.json", "../design.json", "%2e%2e/design.json", "..%2fanswers.sqlite", "answers.sqlite", "faces/", "docs",
        "openapi.json", "//etc/passwd", f"faces/{'0' * 16}-left.jpg",
    ):  # fmt: skip
        status, headers, body = raw(url, "GET", f"/{name}")
        assert status in (404, 307), name
        assert b"threshold" not in body
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in CSP
    assert "default-src 'none'" in CSP


def test_no_reply_reveals_the_truth_about_a_pair(folder: Path, url: str) -> None:
    _, said = post(url, "/api/join", {"consent": True})
    _, _, body = raw(url, "GET", "/api/session", Authorization=f"Bearer {said['token']}")
    session = json.loads(body)
    assert set(session) == {"group", "maps", "orders", "done"}
    pair = session["orders"][0][0]
    answer = {"pass": 1, "pair": pair, "choice": 1, "milliseconds": 700}
    assert post(url, "/api/answer", answer, said["token"]) == (200, {"stored": True})
    _, _, texts = raw(url, "GET", "/api/texts")
    assert b"deconvnet" not in texts + body  # nor the method of a group


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"consent": False},
        {"consent": "true"},
        {"consent": 1.0},
        {"consent": True, "name": SCRIPT},
        [],
        SCRIPT,
        None,
    ],
)
def test_a_join_needs_consent_and_nothing_more(url: str, body: object) -> None:
    status, said = post(url, "/api/join", body)
    assert status == 422
    assert "script" not in json.dumps(said)


@pytest.mark.parametrize(
    "change",
    [
        {"choice": 0}, {"choice": 6}, {"choice": "1"}, {"choice": True}, {"choice": 1.5}, {"choice": SCRIPT},
        {"pair": SCRIPT}, {"pair": "../design"}, {"pair": "0" * 16 + "\n"}, {"pass": 3}, {"milliseconds": -1},
        {"milliseconds": 10**12}, {"comment": SCRIPT},
    ],
)  # fmt: skip
def test_hostile_answers_are_refused_and_not_repeated(url: str, change: dict) -> None:
    _, joined = post(url, "/api/join", {"consent": True})
    _, _, body = raw(url, "GET", "/api/session", Authorization=f"Bearer {joined['token']}")
    good = {"pass": 1, "pair": json.loads(body)["orders"][0][0], "choice": 1, "milliseconds": 5}
    status, said = post(url, "/api/answer", {**good, **change}, joined["token"])
    assert status == 422
    assert said == {"error": "the request does not have the expected form"}
    assert post(url, "/api/answer", good, joined["token"])[0] == 200


def test_an_oversized_body_and_a_forged_token_are_refused(url: str) -> None:
    assert post(url, "/api/join", {"consent": True, "more": "x" * 5000})[0] == 413
    answer = {"pass": 1, "pair": "0" * 16, "choice": 1, "milliseconds": 5}
    for token in ("", "x", "x" * 43, "../" * 10, "a b"):
        assert post(url, "/api/answer", answer, token)[0] == 401
    assert post(url, "/api/answer", answer, "x" * 300)[0] in (401, 422)
    assert raw(url, "GET", "/api/session", Authorization="Basic eHg6eHg=")[0] == 401


def test_guessing_tokens_and_joining_in_a_loop_are_slowed_down(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle", pairs=4)
    with collecting(tmp_path / "bundle") as (url, _):
        guesses = [raw(url, "GET", "/api/session", Authorization=f"Bearer {number}")[0] for number in range(40)]
        assert guesses[:30] == [401] * 30
        assert 429 in guesses[30:]
        joins = [post(url, "/api/join", {"consent": True})[0] for _ in range(70)]
        assert joins[:60] == [200] * 60
        status, headers, _ = raw(url, "POST", "/api/join", b'{"consent": true}', Content_Type="application/json")
        assert 429 in joins[60:]
        assert status == 200 or headers["retry-after"] == "2"
        # a proxy on this machine passes the client's address on
        other = {"X_Forwarded_For": "203.0.113.9", "Content_Type": "application/json"}
        assert [raw(url, "POST", "/api/join", b'{"consent": true}', **other)[0] for _ in range(20)] == [200] * 20


def test_a_changed_file_is_found_before_it_is_served(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=2)
    (tmp_path / PUBLIC / "study.js").write_text("alert(1)")
    with pytest.raises(BadInput, match=r"study.js: missing or changed"):
        collector(tmp_path)


def test_a_client_that_disconnects_in_a_request_leaves_no_traceback(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=2)
    with collecting(tmp_path) as (url, process):
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(b"POST /api/join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert post(url, "/api/join", {"consent": True})[0] == 200
        process.terminate()  # ends after the open requests
        assert process.stdout is not None
        assert "Traceback" not in process.stdout.read()
