"""The answers of a human study: one SQLite file beside the design. What is acknowledged is on disk.

The file runs in WAL mode with ``synchronous=FULL``: a transaction is synced before ``commit`` returns, so neither a killed
process nor a power failure loses an acknowledged answer. No name, address or time of day is stored; of a token only its digest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grid.human_study.choices import CHOICES
from grid.human_study.design import ANSWERS, PASSES, Design
from grid.spec.grid_file import BadInput

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS study (design TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS participants (
    id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, letter TEXT NOT NULL, orders TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    participant INTEGER NOT NULL REFERENCES participants(id),
    pass INTEGER NOT NULL CHECK (pass IN (1, 2)),
    position INTEGER NOT NULL,
    pair TEXT NOT NULL,
    choice INTEGER NOT NULL CHECK (choice BETWEEN 1 AND {len(CHOICES)}),
    milliseconds INTEGER NOT NULL CHECK (milliseconds >= 0),
    PRIMARY KEY (participant, pass, pair)
) WITHOUT ROWID;
"""


class Refused(Exception):
    """An answer that does not fit: it is not for the open trial, or the trial has another answer already."""


@dataclass(frozen=True)
class Participant:
    """A participant. ``orders`` has the ids of the pairs in the order of each pass; ``done`` counts answers of both passes."""

    id: int
    letter: str
    orders: tuple[tuple[str, ...], tuple[str, ...]]
    done: int

    @property
    def open(self) -> tuple[int, int, str] | None:
        """(pass, position, pair) of the open trial; None if there is none left."""
        count = len(self.orders[0])
        if self.done >= 2 * count:
            return None
        number, position = divmod(self.done, count)
        return PASSES[number], position, self.orders[number][position]


@dataclass(frozen=True)
class Answer:
    """A stored answer; ``participant`` is a running number."""

    participant: int
    letter: str
    number: int  # of the pass
    position: int
    pair: str
    choice: int
    milliseconds: int


class Answers:
    """The answers of one bundle. Methods may be called from several threads.

    Raises:
        BadInput: the file is no database, or belongs to another design.
    """

    def __init__(self, bundle: Path, design: Design) -> None:
        self.file, self.design = bundle / ANSWERS, design
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False, timeout=30)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._database.execute(f"PRAGMA {pragma}")
            self._database.executescript(SCHEMA)
            with self._transaction() as database:
                known = database.execute("SELECT design FROM study").fetchone()
                if known is None:
                    database.execute("INSERT INTO study VALUES (?)", (design.digest(),))
        except sqlite3.DatabaseError as error:
            raise BadInput(f"{self.file}: no usable database ({error}); restore it from a copy") from error
        if known is not None and known[0] != design.digest():
            raise BadInput(f"{self.file}: these answers were given to another design; restore the design.json of this bundle")

    def close(self) -> None:
        self._database.close()

    def join(self) -> str:
        """Adds a participant to one of the smallest groups, drawn at random; returns the token, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        ids = [pair.id for pair in self.design.pairs]
        orders = [secrets.SystemRandom().sample(ids, len(ids)) for _ in PASSES]
        with self._transaction() as database:
            counts = dict.fromkeys(self.design.letters, 0)
            counts |= dict(database.execute("SELECT letter, COUNT(*) FROM participants GROUP BY letter"))
            fewest = min(counts.values())
            letter = secrets.choice([one for one in self.design.letters if counts[one] == fewest])
            database.execute(
                "INSERT INTO participants (token, letter, orders) VALUES (?, ?, ?)",
                (_digest(token), letter, json.dumps(orders)),
            )
        return token

    def participant(self, token: str) -> Participant | None:
        """The participant with that token; None if there is none."""
        wanted = _digest(token)
        with self._lock:
            row = self._database.execute(
                "SELECT id, token, letter, orders, (SELECT COUNT(*) FROM answers WHERE participant = id) "
                "FROM participants WHERE token = ?",
                (wanted,),
            ).fetchone()
        if row is None or not hmac.compare_digest(row[1], wanted):
            return None
        first, second = json.loads(row[3])
        return Participant(row[0], row[2], (tuple(first), tuple(second)), row[4])

    def store(self, participant: Participant, number: int, pair: str, choice: int, milliseconds: int) -> None:
        """Stores an answer; when this returns, it is on disk. The same answer may be sent again.

        Args:
            number: of the pass, 1 or 2
            choice: from 1 to 5

        Raises:
            Refused: the trial has another answer, or is not the open one.
        """
        with self._transaction() as database:
            key = (participant.id, number, pair)
            known = database.execute(
                "SELECT choice FROM answers WHERE participant = ? AND pass = ? AND pair = ?", key
            ).fetchone()
            if known is not None:
                if known[0] != choice:
                    raise Refused(f"this pair has the answer {known[0]} already")
                return
            (done,) = database.execute("SELECT COUNT(*) FROM answers WHERE participant = ?", (participant.id,)).fetchone()
            trial = Participant(participant.id, participant.letter, participant.orders, done).open
            if trial is None or (trial[0], trial[2]) != (number, pair):
                raise Refused("this is not the open trial")
            database.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)", (*key[:2], trial[1], pair, choice, milliseconds))

    def all(self) -> list[Answer]:
        """Every answer, by participant, pass and position."""
        with self._lock:
            rows = self._database.execute(
                "SELECT a.participant, p.letter, a.pass, a.position, a.pair, a.choice, a.milliseconds FROM answers a "
                "JOIN participants p ON p.id = a.participant ORDER BY a.participant, a.pass, a.position"
            ).fetchall()
        return [Answer(*row) for row in rows]

    def joined(self) -> dict[str, int]:
        """The number of participants of each group, by its letter."""
        with self._lock:
            rows: list[Any] = self._database.execute("SELECT letter, COUNT(*) FROM participants GROUP BY letter").fetchall()
        return dict.fromkeys(self.design.letters, 0) | dict(rows)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def why_kept(file: Path) -> str:
    """Why a file of answers must stay with its design, with what to do; empty if there is and can be no participant."""
    try:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=1)) as database:
            begun = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'participants'").fetchone()
            if begun and database.execute("SELECT 1 FROM participants").fetchone():
                return "this bundle has participants; give another --to, so that their answers keep their pairs"
            database.execute("PRAGMA journal_mode=DELETE")  # an error as long as another process has the file open
    except sqlite3.DatabaseError as error:
        return f"its answers are in use or unreadable ({error}); stop its collector, or give another --to"
    return ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
