"""Errors of the system, and options out of range, end a command with exit code 2 and say what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from human_studies import bundle
from launching import here

from grid.human_study.answers import Answers


@pytest.fixture
def answered(tmp_path: Path) -> Path:
    """A bundle of a human study in which a participant has joined."""
    answers = Answers(tmp_path, bundle(tmp_path, pairs=2))
    answers.join()
    answers.close()
    return tmp_path


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("absent/answers.csv", "No such file or directory; correct the path, or make the folder that it names first"),
        (".", "Is a directory; name a file"),
        ("f" * 300, "File name too long; choose a shorter path"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line(answered: Path, to: str, words: str) -> None:
    place = answered / to
    assert here(answered, "study", "export", answered, "--to", place, code=2) == f"facegrid: {place}: {words}\n"


def test_a_file_in_the_place_of_an_output_folder_is_one_line(make_study: Callable[..., object], tmp_path: Path) -> None:
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=20, explainers=()).path  # type: ignore[attr-defined]
    place = tmp_path / "figures"
    place.write_text("mine")
    said = here(tmp_path, "figures", study, "--to", place, code=2)
    assert said == f"facegrid: {place}: File exists; choose another path\n"
    assert place.read_text() == "mine"


@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_a_port_out_of_range_is_refused(tmp_path: Path, port: str) -> None:
    said = here(tmp_path, "ui", tmp_path, "--port", port, code=2)
    assert "Invalid value for '--port'" in said
    assert ("65535" if port == "65536" else "1\n") in said


@pytest.mark.parametrize("rate", ["0", "1", "2", "nan"])
@pytest.mark.parametrize("words", [("judge", "a.onnx", "--on", "lfw"), ("export", "study", "--to", "package")])
def test_a_false_match_rate_out_of_range_is_refused_before_anything_is_computed(
    tmp_path: Path, words: tuple[str, ...], rate: str
) -> None:
    said = here(tmp_path, *words, "--fmr", rate, code=2)
    assert f"Invalid value for '--fmr': a false match rate is between 0 and 1, such as 0.001; found {rate}\n" in said


@pytest.mark.parametrize(
    "words", [("judge", "a.onnx", "--on", "lfw", "--threads"), ("data", "show", "{name: drawn}", "--images")]
)
def test_options_that_count_things_are_at_least_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert f"Invalid value for '{words[-1]}': Input should be greater than or equal to 1" in here(tmp_path, *words, "0", code=2)
