"""Random histories of two stages in a ledger: what a launch, kills and repairs leave behind."""

from __future__ import annotations

import hashlib
from typing import Any

from grid.ledger.attempt import Attempt
from grid.ledger.ledger import Ledger
from grid.ledger.records import Fenced
from grid.ledger.store_interface import Store

ACTIONS = ("begin", "resume", "event", "output", "finish", "fail", "forgive", "void")


class History:
    """Performs actions where they are possible; others do nothing."""

    def __init__(self, store: Store) -> None:
        self.store, self.ledger = store, Ledger(store)
        self.ids = [hashlib.md5(str(number).encode()).hexdigest() for number in range(2)]
        self.attempts: dict[int, Attempt] = {}
        self.epochs = [0, 0]

    def do(self, action: str, stage: int) -> None:
        id, attempt = self.ids[stage], self.attempts.get(stage)
        if action in ("begin", "resume"):
            self.attempts[stage] = self.ledger.begin("train", id, {"stage": stage}, "code", {})
            self.epochs[stage] = 0
            if action == "resume" and (found := self.attempts[stage].resumable()):
                self.attempts[stage].resumed(found)
                self.epochs[stage] = found.row["position"][0]
        elif action == "forgive":
            self.ledger.forgive("train", id)
        elif action == "void":
            if self.ledger.marker("train", id):
                self.ledger.void("train", id, "damaged")
        elif attempt is not None:
            try:
                self._in(attempt, action, stage)
            except Fenced:
                del self.attempts[stage]

    def _in(self, attempt: Attempt, action: str, stage: int) -> None:
        if action == "event":
            epoch = self.epochs[stage]
            name = f"checkpoints/{epoch:05d}.ckpt"
            (attempt.path / name).parent.mkdir(exist_ok=True)
            (attempt.path / name).write_bytes(f"{attempt.token} {epoch}".encode() * 20)
            attempt.event({"epoch": epoch, "position": [epoch + 1, 0], "whole": True, "train_loss": 1.0}, name)
            self.epochs[stage] += 1
        elif action == "output":
            (attempt.path / "model").write_bytes(attempt.token.encode())
            self.store.upload(attempt.path / "model", f"{attempt.prefix}/model")
        elif action == "finish":
            (attempt.path / "model").write_bytes(f"weights of {attempt.token}".encode())
            attempt.finish({"epochs": self.epochs[stage]}, {}, "code", ["model"])
        elif action == "fail":
            attempt.fail("ValueError: no", "", deterministic=True)

    def facts(self) -> list[Any]:
        """Everything that plans, launches and reports read, of each stage."""
        found: list[Any] = []
        for id in self.ids:
            marker = self.ledger.marker("train", id)
            saved = self.ledger.checkpoint("train", id, "code", {}) if marker is None else None
            found.append(
                [
                    self.ledger.status("train", id),
                    marker and (self.ledger.damage(marker, digests=True), marker.content),
                    saved and (saved.key, saved.row),
                    self.ledger.events("train", id),
                    self.ledger.attempts("train", id),
                    self.ledger.failure("train", id),
                    self.ledger.began("train", id),
                ]
            )
        return found
