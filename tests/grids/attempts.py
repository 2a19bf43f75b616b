"""Attempts at one stage of a ledger, as a training leaves them."""

from pathlib import Path
from typing import Any

from grid.ledger.ledger import Attempt, Ledger, Marker

KEY = ("train", "0123abcd")


def begin(ledger: Ledger, source: str = "sources", inputs: dict[str, str] | None = None) -> Attempt:
    return ledger.begin(*KEY, {"what": "it is"}, source, inputs)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1, (old, text)
    path.write_text(text.replace(old, new, 1))


def only(ledger: Ledger, pattern: str) -> Path:
    (found,) = ledger.store.local("/".join(KEY)).glob(pattern)
    return found


def write(attempt: Attempt, **files: str) -> None:
    for name, text in files.items():
        (attempt.path / name).write_text(text)


def finish(attempt: Attempt, inputs: dict[str, str] | None = None, **files: str) -> Marker:
    write(attempt, **files)
    return attempt.finish({"images": 3}, inputs or {}, "sources", files)


def epoch(attempt: Attempt, number: int, text: str, whole: bool = True, batch: int = 0) -> None:
    """An event with a checkpoint, as a training leaves it."""
    name = f"checkpoints/{number:03d}-{batch}.pt"
    (attempt.path / "checkpoints").mkdir(exist_ok=True)
    (attempt.path / name).write_text(text)
    position = [number + 1, 0] if whole else [number, batch]
    attempt.event({"epoch": number, "position": position, "whole": whole, "loss": text}, name)


def losses(ledger: Ledger) -> list[Any]:
    return [(row["epoch"], row["loss"]) for row in ledger.events(*KEY)]
