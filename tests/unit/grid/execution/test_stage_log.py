"""What is logged while a stage computes becomes lines of its attempt."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from grid.execution.stage_log import logged
from grid.ledger.attempt_log import read_log
from grid.ledger.ledger import Ledger


def test_records_become_lines_without_secrets_and_only_within_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    ledger = Ledger(tmp_path)
    attempt = ledger.begin("train", "a" * 32, {})
    log = logging.getLogger("facegrid-test")
    log.warning("before")
    with logged(attempt):
        log.warning("weights from %s", "http://me:hunter2@example/w")
        log.debug("too small")
    log.warning("after")
    (row,) = read_log(ledger.store, attempt.prefix)
    assert (row["level"], row["source"], row["message"]) == ("warning", "facegrid-test", "weights from http://***@example/w")
    assert root.handlers == []
    shown = capsys.readouterr().err
    assert shown.count("weights from") == 1, "a warning still reaches the terminal"


def test_a_handler_of_the_user_is_not_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    with logged(Ledger(tmp_path).begin("train", "a" * 32, {})):
        logging.getLogger("facegrid-test").warning("once")
    assert capsys.readouterr().err == ""
