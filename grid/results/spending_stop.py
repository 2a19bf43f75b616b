"""The note in a study's record that a limit of spending ended its last launch or worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from grid.ledger.study import Study, read_record, write_record
from grid.terminal import counted

KEY = "stopped"


@dataclass(frozen=True)
class Stop:
    """
    Attributes:
        limit: in words, such as ``20 GPU-hours``
        options: of the command, such as ``--max-gpu-hours``
        stages: the number of those that were left
    """

    limit: str
    options: Sequence[str]
    stages: int

    @property
    def text(self) -> str:
        """One sentence: what stopped, and what to do."""
        return (
            f"the last launch or worker stopped at its limit of {self.limit} with {counted(self.stages, 'stage')} left; "
            f"run the same command with a higher {' and '.join(self.options)}, or without"
        )


def note_stop(study: Path, stop: Stop | None) -> None:
    """Writes the note, or removes that of an earlier launch. The caller holds the study's lock; a new launch writes no note."""
    record = read_record(study)
    if record is None or record.get(KEY) == (asdict(stop) if stop else None):
        return
    record.pop(KEY, None)
    write_record(study, {**record, KEY: asdict(stop)} if stop else record)


def stop_of(study: Study) -> Stop | None:
    """What ended the last launch or worker; None if that was no limit, or if all cells of the grid are done since."""
    found = study.record.get(KEY)
    left = any(cell.state == "run" for cell in study.shown)
    return Stop(**found) if found and left else None
