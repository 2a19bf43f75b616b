import asyncio
from typing import Any

from grid.human_study.limits import KNOWN, BodyLimit, RateLimiter


def test_a_bucket_allows_a_burst_then_its_rate() -> None:
    now = 0.0
    limiter = RateLimiter(5, 2.0, lambda: now)
    assert [limiter.allows("a") for _ in range(7)] == [True] * 5 + [False] * 2
    assert limiter.allows("b")
    now = 1.0
    assert [limiter.allows("a") for _ in range(3)] == [True, True, False]
    now = 1000.0
    assert sum(limiter.allows("a") for _ in range(20)) == 5


def test_it_forgets_the_keys_not_seen_for_longest() -> None:
    limiter = RateLimiter(1, 0.0, lambda: 0.0)
    for number in range(KNOWN + 5):
        limiter.allows(number)
    assert len(limiter._left) == KNOWN
    assert not limiter.allows(KNOWN + 4)
    assert limiter.allows(0)


def asked(chunks: list[bytes], limit: int = 10) -> tuple[list[Any], list[Any]]:
    """(messages sent, what the application read) of a request that arrives in chunks."""
    sent, read = [], []
    left = [{"type": "http.request", "body": chunk, "more_body": at + 1 < len(chunks)} for at, chunk in enumerate(chunks)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        read.append(await receive())

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(BodyLimit(app, limit)({"type": "http"}, receive, send))
    return sent, read


def test_a_body_is_handed_on_whole_up_to_the_limit_and_refused_beyond_it_without_a_length() -> None:
    sent, read = asked([b"12345", b"67890"])
    assert sent == []
    assert read == [{"type": "http.request", "body": b"1234567890", "more_body": False}]
    sent, read = asked([b"12345", b"67890", b"1"])
    assert sent[0]["status"] == 413
    assert read == []
