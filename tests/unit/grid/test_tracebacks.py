"""Errors in components: where they happened, and tracebacks that fit a screen."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from grid.tracebacks import error_line, own_traceback, show_own

LOSS = """
import torch


def boom():
    raise RuntimeError("boom in my loss")


def shape():
    return torch.zeros(2, 3) @ torch.zeros(2, 3)


def deep():
    import json

    return json.loads("{")


def value():
    raise ValueError("mine")


def caused():
    try:
        deep()
    except ValueError as error:
        raise RuntimeError("no settings") from error
"""


@pytest.fixture
def my_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of a user's own."""
    (tmp_path / "my_loss.py").write_text(LOSS)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.spec_from_file_location("my_loss", tmp_path / "my_loss.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def caught(call: Any) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("no error")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError("out of memory"), "RuntimeError: out of memory"),
    ],
)
def test_an_error_is_one_line(error: Exception, line: str) -> None:
    assert error_line(error) == line


def test_an_error_in_a_component_names_its_line(my_loss: Any) -> None:
    assert error_line(caught(my_loss.boom)) == "RuntimeError: boom in my loss (my_loss.py:6)"
    assert error_line(caught(my_loss.value)) == "mine (my_loss.py:20)"


def test_an_error_inside_a_library_names_the_line_that_called_it(my_loss: Any) -> None:
    assert error_line(caught(my_loss.shape)).endswith(" (my_loss.py:10)")
    assert error_line(caught(my_loss.deep)).endswith(" (my_loss.py:16)")


def test_a_message_of_the_project_itself_has_no_place() -> None:
    from configs.lookup import resolve

    error = caught(lambda: resolve("loss", "arcfase"))
    assert "arcface" in error_line(error)
    assert ".py:" not in error_line(error)


def test_a_traceback_has_no_frames_of_libraries_and_keeps_the_cause(my_loss: Any, capsys: pytest.CaptureFixture[str]) -> None:
    error = caught(my_loss.caused)
    text = own_traceback(error)
    assert "json/decoder.py" not in text
    assert text.count("my_loss.py") == 3
    assert "The above exception was the direct cause" in text
    assert text.rstrip().endswith("RuntimeError: no settings")
    show_own(type(error), error, error.__traceback__)
    assert capsys.readouterr().err == text


def test_an_error_of_libraries_alone_keeps_its_frames() -> None:
    import json

    def call() -> None:
        json.loads("{")

    error = caught(call)
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
    assert "json" in own_traceback(error)


def test_an_import_of_a_package_that_facegrid_hides_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cluster").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as raised:
        from cluster import mine  # noqa: F401
    hint = f"your package {tmp_path / 'cluster'} is hidden by facegrid's own package 'cluster': rename yours"
    assert f"; {hint}" in error_line(raised.value)
    assert own_traceback(raised.value).splitlines()[-1] == hint
    with pytest.raises(ImportError) as plain:
        from json import nothing  # noqa: F401
    assert "hidden" not in error_line(plain.value)
