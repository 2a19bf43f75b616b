"""Simulated participants who answer a running collector over HTTP, as a rehearsal before people take part."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from grid.human_study.design import Design, read_design
from grid.human_study.raters import Raters
from grid.spec.grid_file import BadInput

AT_ONCE = 30
PATIENCE = 60.0  # seconds of waiting for a collector that has too many requests


class Client:
    """A participant of a collector, as the page is one; waits where it says that there are too many requests."""

    def __init__(self, url: str) -> None:
        self.url, self.token = url.rstrip("/"), ""

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET, or POST with a body; the JSON reply.

        Raises:
            BadInput: the collector cannot be reached, or refuses.
        """
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        data = None if body is None else json.dumps(body).encode()
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{path}", data, headers), timeout=30) as reply:
                    return json.loads(reply.read())
            except urllib.error.HTTPError as error:
                if error.code != 429 or time.monotonic() > until:
                    raise BadInput(f"--url {self.url}: {path} was refused: {error.code} {error.read().decode()}") from error
                time.sleep(float(error.headers.get("Retry-After", 1)))
            except (OSError, ValueError) as error:
                raise BadInput(
                    f"--url {self.url}: no collector answers there ({error}); start `facegrid study serve`"
                ) from error

    def join(self) -> dict[str, Any]:
        """Gives consent; the session."""
        self.token = self.ask("api/join", {"consent": True})["token"]
        found: dict[str, Any] = self.ask("api/session")
        return found


def rehearse(bundle: Path, url: str, participants: int, gain: float, people: Raters, seed: int) -> dict[str, Any]:
    """Lets simulated participants answer everything, 30 at a time; the first group gains. Returns facts as JSON values.

    Raises:
        BadInput: it is no bundle, or its collector cannot be reached.
    """
    design = read_design(bundle)
    started = time.perf_counter()
    clients = [Client(url) for _ in range(participants)]
    sessions = [client.join() for client in clients]
    gains = np.array([gain if session["group"] == design.letters[0] else 0.0 for session in sessions])
    choices = people.choices(design.same, gains, np.random.default_rng(seed))
    with ThreadPoolExecutor(min(AT_ONCE, max(participants, 1))) as pool:
        counts = list(pool.map(_answer_all, clients, sessions, choices, [design] * participants))
    facts = {"participants": participants, "answers": sum(counts), "seconds": time.perf_counter() - started}
    return {**facts, "benefit": gain, "true_benefit": people.benefit(gain)}


def _answer_all(client: Client, session: dict[str, Any], choices: np.ndarray, design: Design) -> int:
    place = {pair.id: number for number, pair in enumerate(design.pairs)}
    orders: Sequence[Sequence[str]] = session["orders"]
    for number, order in enumerate(orders):
        for pair in order:
            choice = int(choices[number, place[pair]])
            client.ask("api/answer", {"pass": number + 1, "pair": pair, "choice": choice, "milliseconds": 1500})
    return sum(map(len, orders))
