"""Runs the collector until it is stopped."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

from grid.human_study.design import TEXTS
from grid.human_study.texts import incomplete, read_texts
from grid.spec.grid_file import BadInput


def serve(bundle: Path, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serves a bundle; access is not logged. A proxy on this machine may pass the client's address on (X-Forwarded-For).

    Args:
        port: 0 takes a free one
        say: prints a line

    Raises:
        BadInput: the bundle is damaged, or the address cannot be listened on.
    """
    import uvicorn

    from grid.human_study.collector import collector

    app = collector(bundle)
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # before the address is printed
    except OSError as error:
        listening.close()
        raise BadInput(f"--host {host} --port {port}: {error.strerror}; choose another address or port") from error
    shown = f"[{host}]" if ":" in host else host
    say(f"human study: http://{shown}:{listening.getsockname()[1]}/  (Ctrl-C stops it; every acknowledged answer is stored)")
    if not _loopback(host):
        say("other machines can reach it without encryption; let a proxy with HTTPS do that, see docs/human_study.md")
    if incomplete(read_texts(bundle, ())):
        say(f"the consent is not complete: write its last paragraph in {bundle / TEXTS} before people take part")
    config = uvicorn.Config(app, access_log=False, server_header=False, log_level="warning", limit_concurrency=500)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
