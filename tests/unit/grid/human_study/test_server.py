import socket
from pathlib import Path

import pytest
from human_studies import bundle, collecting

from grid.human_study.server import _loopback, serve
from grid.spec.grid_file import BadInput


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"--port {port}: Address already in use"):
            serve(tmp_path, "127.0.0.1", port, print)


def test_only_loopback_is_listened_on_by_default_and_an_incomplete_consent_is_said(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=2)
    with collecting(tmp_path) as (url, process):
        assert url.startswith("http://127.0.0.1:")
        assert process.stdout is not None
        assert "the consent is not complete" in process.stdout.readline()
    assert [_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")] == [True] * 3 + [False] * 2
