"""Limits of the collector: how large a request may be, and how many there may be."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
BODY = 2048  # bytes of a request; an answer takes about 100
KNOWN = 10_000  # most addresses or participants that a limiter remembers


class RateLimiter:
    """A token bucket for each key: ``burst`` requests at once, then ``rate`` per second. Keys are kept in memory only."""

    def __init__(self, burst: int, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.burst, self.rate, self.clock = burst, rate, clock
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()  # key -> (tokens left, at that time)
        self._lock = threading.Lock()

    def allows(self, key: object) -> bool:
        """Counts a request; False if it is one too many."""
        now = self.clock()
        with self._lock:
            left, since = self._left.pop(key, (float(self.burst), now))
            left = min(float(self.burst), left + (now - since) * self.rate)
            allowed = left >= 1
            self._left[key] = (left - 1 if allowed else left, now)
            if len(self._left) > KNOWN:
                self._left.popitem(last=False)
        return allowed


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than ``limit`` bytes, whatever its headers say."""

    def __init__(self, app: Any, limit: int = BODY) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":  # the client has disconnected
                await _refuse(send, 400, b"the request is incomplete")  # outer middleware needs a response
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.limit:
                await _refuse(send, 413, b"the request is too large")
                return
        received = False

        async def whole() -> Message:
            nonlocal received
            if received:
                return await receive()
            received = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, whole, send)


async def _refuse(send: Send, status: int, why: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"error": "%s"}' % why})
