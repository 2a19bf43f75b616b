"""The fields of components in their source are those of the classes."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from configs import written_fields as module
from configs.lookup import PACKAGES, known, lookup
from configs.written_fields import written_fields

REWRITES = {("detector", "mtcnn"), ("augmentation", "flip")}  # their keys are more than their fields


@pytest.mark.parametrize("kind", PACKAGES)
def test_they_are_those_of_each_class(kind: str) -> None:
    for name in known(kind):
        found, config = written_fields(kind, name), lookup(kind, name)
        if found is None:
            assert (kind, name) in REWRITES
            continue
        assert found == config.model_fields.keys(), name
        with pytest.raises(ValidationError) as error:
            config.model_validate({"name": name, "no_such_key": 1})
        assert ("no_such_key",) in [one["loc"] for one in error.value.errors() if one["type"] == "extra_forbidden"]


def test_what_is_unknown_or_of_a_user_has_none() -> None:
    assert written_fields("loss", "absent") is None
    assert written_fields("loss", "my.loss") is None
    assert written_fields("loss", "softmax + 0.1 center") is None


BASE = "from configs.network_interfaces import LossConfig\nfrom typing import Literal\n"
UNCLEAR = {
    "a key has another name, too": "    margin: float = Field(0, alias='m')",
    "a validator sees the mapping first": "    @model_validator(mode='before')\n    def _(cls, value): return value",
    "its settings": "    model_config = ConfigDict(extra='allow')",
}


@pytest.mark.parametrize("line", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_a_source_that_may_accept_more_is_unclear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    head = f"{BASE}class One(LossConfig):\n    name: Literal['one'] = 'one'\n    lr: float = 0.1\n"
    monkeypatch.setitem(PACKAGES, "loss", "own_losses")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_losses").mkdir()
    (tmp_path / "own_losses/__init__.py").touch()

    def fields(text: str) -> frozenset[str] | None:
        (tmp_path / "own_losses/one.py").write_text(text)
        for cached in (known, written_fields, module._tree):
            cached.cache_clear()
        return written_fields("loss", "one")

    try:
        assert fields(head) == {"name", "lr"}
        assert fields(f"{head}{line}\n") is None
        assert fields(f"{head}class Two(LossConfig):\n    name: Literal['one'] = 'one'\n") is None, "which of the two?"
        assert fields(head.replace("One(LossConfig)", "One(Unknown)")) is None
    finally:
        monkeypatch.undo()
        for cached in (known, written_fields, module._tree):
            cached.cache_clear()
