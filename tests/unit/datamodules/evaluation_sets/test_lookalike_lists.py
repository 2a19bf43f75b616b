import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.evaluation_sets.lookalike_lists import miner_of, read_lookalikes, write_lookalikes
from datamodules.evaluation_sets.lookalikes import Mined

MINER = "ab" * 32


def test_the_file_says_who_mined_it(tmp_path):
    mined = Mined(np.array([0, 1]), np.array([2, 3]), np.array([0, 1]), np.array([0.75, -0.5]))
    write_lookalikes(tmp_path / "mined.txt", mined, ["a/1", "a/2", "b/1", "b c/2"], MINER)
    assert miner_of(tmp_path / "mined.txt") == MINER
    found = read_lookalikes(tmp_path / "mined.txt")
    assert (found.left, found.right, found.same, found.fold) == (("a/1", "a/2"), ("b/1", "b c/2"), (False, False), (0, 1))
    assert found.line == (3, 4)
    assert [file.name for file in tmp_path.iterdir()] == ["mined.txt"]


def test_a_miner_is_named_by_its_digest(tmp_path):
    mined = Mined(*(np.zeros(1, int),) * 4)
    with pytest.raises(ValueError, match="64 hex digits, found 'resnet'"):
        write_lookalikes(tmp_path / "mined.txt", mined, ["a"], "resnet")
    with pytest.raises(ValueError, match="cannot be written"):
        write_lookalikes(tmp_path / "mined.txt", mined, ["a\tb"], MINER)


HEAD = f"# facegrid lookalikes 1\n# miner {MINER}\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a b 1\n", "line 1: no list of look-alikes"),
        ("# facegrid lookalikes 1\n1\ta\tb\t0.5\n", "line 2: expected '# miner' and 64 hex digits"),
        ("# facegrid lookalikes 1\n", "line 2: expected .* found nothing"),
        (HEAD, "the list has no pairs"),
        (HEAD + "0\ta\tb\t0.5\n", "line 3: expected fold, image, image and cosine"),
        (HEAD + "1\ta\tb\n", "line 3: expected fold"),
        (HEAD + "1\ta\tb\tnan\n", "line 3: expected fold"),
        (HEAD + "1\ta\tb\t0.5\n1\tb\ta\t0.5\n", "line 4: the pair stands in line 3 already"),
        (HEAD + "1\ta\ta\t0.5\n", "line 3: compares the image a with itself"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, error):
    (tmp_path / "mined.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"mined\.txt.*{error}"):
        read_lookalikes(tmp_path / "mined.txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=50), st.text("1\ta/b.05-\n", max_size=50).map(lambda text: (HEAD + text).encode())))
def test_any_text_gives_pairs_or_an_error_that_names_the_file(tmp_path, data):
    (tmp_path / "mined.txt").write_bytes(data)
    try:
        found = read_lookalikes(tmp_path / "mined.txt").left
    except ValueError as error:
        found = str(error).split("mined.txt")[1:]
    assert found
