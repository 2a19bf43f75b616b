"""Scores of pairs that were computed elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from modules.backbones.scored import ScoredConfig, read_scores

LEFT, RIGHT = ["a/1.jpg", "a/1.jpg", "b/1.jpg"], ["a/2.jpg", "b/1.jpg", "a/2.jpg"]
SAME = np.array([True, False, False])
LINES = ["a/1.jpg,a/2.jpg,0.9", "/data/b/1.jpg,a/1.jpg,-0.25", "a/2.jpg,/data/b/1.jpg,1e-3", "c,d,7"]


def config(folder: Path, *lines: str, head: str = "left,right,score") -> ScoredConfig:
    path = folder / "scores.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return ScoredConfig(path=path)


def test_pairs_are_found_by_key_or_by_the_end_of_a_path_in_either_order(tmp_path: Path) -> None:
    found = config(tmp_path, *LINES).pair_scores(LEFT, RIGHT, SAME)
    assert found.tolist() == [0.9, -0.25, 0.001]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (LINES[:2], "1 of 3 pairs of the protocol have no score, first b/1.jpg and a/2.jpg; each pair needs a line"),
        ([], "no scores below the names"),
        ([*LINES, "a/2.jpg,a/1.jpg,0.9"], r"lines 2 and 6: the pair a/1.jpg and a/2.jpg stands twice \(1 lines repeat"),
        (["a/1.jpg,a/2.jpg,nan"], "line 2: score 'nan' is no finite number"),
        (["a/1.jpg,a/2.jpg,high"], "line 2: score 'high' is no finite number"),
        (["a/1.jpg,a/2.jpg"], "line 2: 2 values under 3 columns"),
        ([*LINES, "/other/b/1.jpg,a/1.jpg,0.1"], "2 of 3 pairs .* have no score, .*; two images of the file end with b/1.jpg"),
    ],
)
def test_missing_doubled_and_wrong_lines_are_counted_and_named(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        config(tmp_path, *lines).pair_scores(LEFT, RIGHT, SAME)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "scores.csv"))


@pytest.mark.parametrize(
    ("head", "values"),
    [
        ("left,right,score,same", ["1", "FALSE", "impostor", "0"]),
        ("left,right,score,left_subject,right_subject", ["a,a", "b,a", "a,b", "c,d"]),
    ],
)
def test_kinds_are_checked_against_the_protocol(tmp_path: Path, head: str, values: list[str]) -> None:
    lines = [f"{line},{value}" for line, value in zip(LINES, values, strict=True)]
    found = config(tmp_path, *lines, head=head)
    assert found.pair_scores(LEFT, RIGHT, SAME).tolist() == [0.9, -0.25, 0.001]
    with pytest.raises(ValueError, match=r"line 2: the pair a/1.jpg and a/2.jpg is genuine, and in the protocol an impostor"):
        found.pair_scores(LEFT, RIGHT, ~SAME)
    with pytest.raises(ValueError, match=r"\(1 of 3 pairs differ\)"):
        found.pair_scores(LEFT, RIGHT, np.array([True, False, True]))


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("")
    with pytest.raises(ValueError, match=r"scores.csv: the file is empty; expected columns left, right, score"):
        read_scores(tmp_path / "scores.csv")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("left,right", "line 1: no column 'score'; found .*; expected columns left, right, score, and same"),
        ("left,right,score,score", "line 1: a column stands twice"),
        ("left,right,score,same", "line 2: same is 'perhaps'; known are 1, true"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, head: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_scores(config(tmp_path, "a,b,1,perhaps", head=head).path)


def test_columns_that_are_not_read_are_known(tmp_path: Path) -> None:
    assert read_scores(config(tmp_path, "a,b,1,2", head="left,right,score,fold").path).ignored == ("fold",)
    with pytest.raises(ValueError, match="no such file"):
        read_scores(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"no CSV file of scores \("):
        read_scores(tmp_path / "bytes.csv")
