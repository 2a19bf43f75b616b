import pytest

from grid.mirror.record import safe


@pytest.mark.parametrize(
    ("name", "clean"), [("lfw view 1/eer", "lfw view 1/eer"), ("a(b)%", "a_b__"), ("../x//y", "x/y"), ("..", "_")]
)
def test_names_are_what_mlflow_takes(name: str, clean: str) -> None:
    assert safe(name) == clean
