"""A reverse proxy on loopback that loses the first answer to each conditional write, as a network does now and then."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tls_proxy import HOP


@contextmanager
def losing_proxy(server: str, dropped: bool) -> Iterator[tuple[str, set[str]]]:
    """Gives the proxy's address, and the paths whose first answer it lost although ``server`` had done what was asked.

    Args:
        dropped: the connection ends without an answer; otherwise the answer is 500.
    """
    lost: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def passed_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP}
            upstream = http.client.HTTPConnection(urlsplit(server).netloc, timeout=60)
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            data, status = answer.read(), answer.status
            upstream.close()
            if self.headers.get("If-None-Match") and self.path not in lost:
                lost.add(self.path)
                if dropped:
                    self.close_connection = True
                    return
                data, status = b"", 500
            self.send_response(status)
            for key, value in answer.getheaders():
                if key.lower() not in (*HOP, "content-length", "date", "server"):
                    self.send_header(key, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = passed_on

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}", lost
    finally:
        proxy.shutdown()
        proxy.server_close()
