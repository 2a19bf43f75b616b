"""File format of mined look-alike impostor pairs: text, one pair per line.

Line 1 names the format and line 2 the miner, the digest of the weights that selected the pairs. A network must not be evaluated
on pairs that it selected itself, so users of the file check ``miner_of`` first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from datamodules.evaluation_sets.lookalikes import Mined
from datamodules.list_readers.lfw import PairList, Row
from datamodules.list_readers.lines import numbered_lines, shown, whole

FORMAT = "# facegrid lookalikes 1"
COSINE = re.compile(r"-?[0-9]\.[0-9]{1,17}")
MINER = re.compile(r"# miner ([0-9a-f]{64})")


def write_lookalikes(file: Path, mined: Mined, keys: Sequence[str], miner: str) -> None:
    """Writes the pairs atomically as tab-separated ``fold, left, right, cosine``; folds are numbered from 1.

    Args:
        file: the file to write
        mined: the pairs
        keys: image keys of the rows that were mined
        miner: SHA-256 of the miner's weights (64 hex digits)
    """
    head = f"# miner {miner}"
    if not MINER.fullmatch(head):
        raise ValueError(f"the miner is named by 64 hex digits, found {shown(miner)}")
    odd = [key for key in keys if re.search(r"[\t\r\n]", key) or key != key.strip()]
    if odd:
        raise ValueError(f"the key {odd[0]!r} cannot be written to a list")
    rows = zip(mined.fold.tolist(), mined.left.tolist(), mined.right.tolist(), mined.score.tolist(), strict=True)
    lines = [f"{fold + 1}\t{keys[left]}\t{keys[right]}\t{score:.6f}" for fold, left, right, score in rows]
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    temporary.write_text("\n".join([FORMAT, head, *lines, ""]), encoding="utf-8", newline="\n")
    os.replace(temporary, file)


def miner_of(file: Path) -> str:
    """The digest of the weights that selected the pairs in ``file``; errors as ``read_lookalikes``."""
    return _head(file)[0]


def read_lookalikes(file: Path) -> PairList:
    """The impostor pairs in ``file``, in its order.

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    _, lines = _head(file)
    rows: list[Row] = []
    seen: dict[frozenset[str], int] = {}
    for number, text in lines:
        fields = text.split("\t")
        fold = whole(fields[0])
        if len(fields) != 4 or not fold or not all(fields) or not COSINE.fullmatch(fields[3]):
            raise ValueError(f"{file}, line {number}: expected fold, image, image and cosine with tabs, found {shown(text)}")
        pair = frozenset(fields[1:3])
        if len(pair) == 1:
            raise ValueError(f"{file}, line {number}: compares the image {fields[1]} with itself")
        if pair in seen:
            raise ValueError(f"{file}, line {number}: the pair stands in line {seen[pair]} already")
        seen[pair] = number
        rows.append((fields[1], fields[2], False, fold - 1, number))
    return PairList.of(file, rows)


def _head(file: Path) -> tuple[str, list[tuple[int, str]]]:
    lines = numbered_lines(file)
    if lines[0][1] != FORMAT:
        raise ValueError(
            f"{file}, line {lines[0][0]}: no list of look-alikes (expected {FORMAT!r}, found {shown(lines[0][1])})"
        )
    match = MINER.fullmatch(lines[1][1]) if len(lines) > 1 else None
    if match is None:
        raise ValueError(
            f"{file}, line 2: expected '# miner' and 64 hex digits, found {shown(lines[1][1]) if len(lines) > 1 else 'nothing'}"
        )
    if len(lines) == 2:
        raise ValueError(f"{file}: the list has no pairs")
    return match[1], lines[2:]
