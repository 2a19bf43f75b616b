"""Stored embeddings and scores that are incomplete are refused before anything is computed."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from configs.lookup import resolve
from grid.judge.judge import Request, judge
from grid.judge.networks import judged
from grid.judge.preprocessing import Preprocessing
from grid.spec.grid_file import BadInput

PROTOCOL = {"name": "drawn", "subjects": 6, "shots": 4, "folds": 2, "pairs_per_fold": 12}


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Judges a file; the one line that refuses it. Nothing was evaluated, and no face was looked for."""

    def refused(name: str, *protocols: dict[str, Any]) -> str:
        networks = (judged(tmp_path / name, Preprocessing(faces="none")),)
        request = Request(networks, [*(protocols or [PROTOCOL])], tmp_path / "study", frozenset())
        with pytest.raises(BadInput) as error:
            judge(request, Console(file=io.StringIO()))
        begun = {path.name for path in (tmp_path / "study" / "store").iterdir()}
        assert not begun & {"train", "detect", "evaluate"}
        assert "\n" not in str(error.value)
        return str(error.value).replace(str(tmp_path), "")

    return refused


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str, bool]]:
    protocol: Any = resolve("protocol", PROTOCOL)
    manifest = protocol.dataset().manifest(Path())
    found = protocol.pairs(manifest)
    rows = zip(found.left.tolist(), found.right.tolist(), found.same.tolist(), strict=True)
    return list(dict.fromkeys((manifest.keys[left], manifest.keys[right], same) for left, right, same in rows))


def save(file: Path, pairs: list[tuple[str, str, bool]]) -> None:
    lines = (f"{left},{right},{number},{int(same)}\n" for number, (left, right, same) in enumerate(pairs))
    file.write_text("left,right,score,same\n" + "".join(lines))


def test_a_missing_pair_is_named(tmp_path: Path, refused: Callable[..., str], pairs: list[Any]) -> None:
    save(tmp_path / "s.csv", pairs[:3] + pairs[4:])
    left, right, _ = pairs[3]
    said = refused("s.csv")
    assert said.startswith("/s.csv: ")
    assert f"pairs of the protocol have no score, first {left} and {right}; each pair needs a line" in said


def test_a_pair_of_the_other_kind_is_named(tmp_path: Path, refused: Callable[..., str], pairs: list[Any]) -> None:
    left, right, same = pairs[2]
    save(tmp_path / "s.csv", [*pairs[:2], (left, right, not same), *pairs[3:]])
    assert refused("s.csv").startswith(f"/s.csv, line 4: the pair {left} and {right} is ")


def test_the_second_protocol_is_looked_up_too(tmp_path: Path, refused: Callable[..., str], pairs: list[Any]) -> None:
    save(tmp_path / "s.csv", pairs)
    assert "have no score" in refused("s.csv", PROTOCOL, {**PROTOCOL, "label": "others", "first": 2000})
    assert "what is stored is final" in refused("s.csv", PROTOCOL, {**PROTOCOL, "label": "mirrored", "flip_test": True})


def test_a_missing_embedding_is_named(tmp_path: Path, refused: Callable[..., str], pairs: list[Any]) -> None:
    keys = sorted({key for left, right, _ in pairs for key in (left, right)})
    np.savez(tmp_path / "e.npz", keys=keys[1:], embeddings=np.ones((len(keys) - 1, 4), np.float32))
    assert refused("e.npz").startswith(f"/e.npz: the image {keys[0]} is not among its keys")


def test_a_pair_with_two_lines_is_refused_when_the_file_is_read(tmp_path: Path, pairs: list[Any]) -> None:
    left, right, same = pairs[0]
    save(tmp_path / "s.csv", [*pairs, (right, left, same)])
    with pytest.raises(BadInput, match=rf"s.csv, lines 2 and {len(pairs) + 2}: the pair {left} and {right} stands twice"):
        judged(tmp_path / "s.csv", Preprocessing())
