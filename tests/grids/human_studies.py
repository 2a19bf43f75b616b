"""Bundles of human studies with invented images, running collectors, and answers without a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from grid.human_study.bundle import write_bundle
from grid.human_study.design import Design, Group, Inclusion
from grid.human_study.pair_maps import GroupMaps

TITLES = ("pair_occlusion", "deconvnet", "gradient")
ROOT = Path(__file__).resolve().parents[2]


def bundle(to: Path, pairs: int = 20, groups: int = 3, inclusion: Inclusion | None = None, accuracy: float = 0.75) -> Design:
    """A bundle of invented pairs, half of them genuine; the network decides the given share of each kind correctly."""
    generator = np.random.default_rng(pairs)
    maps = []
    for number in range(groups):
        group = Group(
            letter="ABC"[number],
            title=TITLES[number],
            map="",
            low=-1.0 if number else 0.0,
            high=1.0,
            signed=number > 0,
            config={} if number else {"sign": "difference"},
        )
        crops = generator.integers(0, 255, (pairs, 2, 16, 14, 3)).astype(np.uint8)
        maps.append(GroupMaps(group, crops, generator.random((pairs, 2, 8, 7)).astype(np.float32)))
    listed = []
    for number in range(pairs):
        same, right = number % 2 == 0, number // 2 < accuracy * (pairs // 2)
        listed.append((f"person_{number}/1.png", f"person_{number}/2.png", same, 0.9 if same == right else 0.1))
    rule = {"threshold": 0.5, "threshold_from": "--threshold", "selected": {"true accept": 1}}
    about = {"name": "invented", "study": "invented", "cell": "loss=softmax", "protocol": "pairs", "checkpoint": "0" * 64}
    return write_bundle(to, about, rule, inclusion or Inclusion(), listed, maps)


@contextlib.contextmanager
def collecting(folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``facegrid study serve`` in a process of its own: its address, and the process."""
    command = [sys.executable, "-m", "facegrid", "study", "serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+/", line)
        assert found, line + process.stdout.read()
        yield found[0], process
    finally:
        process.kill()
        process.wait()


def raw(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """(status, headers in lower case, body) of one request, whatever it is answered."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def post(url: str, path: str, body: Any, token: str = "") -> tuple[int, Any]:
    headers = {"Content_Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    status, _, said = raw(url, "POST", path, json.dumps(body).encode(), **headers)
    return status, json.loads(said)
