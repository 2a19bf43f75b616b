"""docs/grid_file.md lists every key of a grid file, with the type and default of the config that reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from configs.component import Component
from configs.data_interfaces import DatasetConfig, DetectorConfig, ProtocolConfig
from configs.explainers import ExplainerConfig, ScoreConfig
from configs.network_interfaces import HeadConfig
from configs.staging import StageConfig
from grid.spec.cell import Cell
from grid.spec.ensemble import Ensemble
from grid.spec.grid_file import LISTS, Spec
from grid.spec.launch_settings import Launch
from grid.spec.skip import Skip
from grid.spec.source import Source
from grid.spec.training import Target
from modules.training.recipe import Recipe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "grid_file.md"
SECTIONS: dict[
    str, tuple[type[BaseModel], str]
] = {  # heading of a table -> the config it describes, and the prefix of its keys
    "Top level": (Spec, ""),
    "Base": (Cell, ""),
    "Targets": (Target, "targets.NAME."),
    "Sources": (Source, "sources.N."),
    "Skip rules": (Skip, "skip.N."),
    "Ensembles": (Ensemble, "ensembles.N."),
    "Launch": (Launch, "launch."),
    "Every dataset": (DatasetConfig, ""),
    "Every detector": (DetectorConfig, ""),
    "Every head": (HeadConfig, ""),
    "Every recipe that trains": (Recipe, ""),
    "Every protocol": (ProtocolConfig, ""),
    "Every explainer": (ExplainerConfig, ""),
    "Every explanation metric": (ScoreConfig, ""),
    "Every stage under stages": (StageConfig, ""),
}
WORDS = {float: "number", int: "integer", bool: "true or false", str: "text", Path: "path", type(None): "null"}
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def kind_of(annotation: Any) -> str:
    """The type of a value as the page writes it."""
    if annotation in WORDS:
        return WORDS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind_of(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{one}`" if isinstance(one, str) else str(one) for one in arguments)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(kind_of, arguments)))
    if origin is tuple:
        inner = kind_of(arguments[0])
        return f"list of {inner}" if inner == "text" or "`" in inner else f"list of {inner}s"
    if origin is dict or annotation is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, Component):
        return "component"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return "component" if annotation is Any else str(annotation)


def default_of(field: Any) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, dict) and set(value) == {"name"}:
        value = value["name"]
    if value in ((), [], {}):
        return "empty"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    text = (
        {None: "null", True: "true", False: "false"}.get(value, value)
        if not isinstance(value, (int, float)) or value is True or value is False
        else value
    )
    return f"`{text}`"


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The settings below a key, such as those of ``split``; None for components and plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and not issubclass(annotation, Component):
        return annotation
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType, Annotated) else ()
    return next((found for one in parts if (found := model_in(one))), None)


def keys_of(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if (name == "name" and issubclass(model, Component)) or (model is Cell and name in LISTS) or name == "sweep_point":
            continue  # sweep_point is set by ``sweep``
        yield f"{prefix}{name}", kind_of(field.annotation), default_of(field)
        inner = model_in(field.annotation)
        if inner is not None and inner is not Launch:
            yield from keys_of(inner, f"{prefix}{name}.")


def tables() -> dict[str, list[tuple[str, str, str, str]]]:
    """Heading -> the rows of the table below it."""
    parts = re.split(r"^##+ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading: ROW.findall(text) for heading, text in zip(parts[1::2], parts[2::2], strict=True) if ROW.search(text)}


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_stands_there_with_its_type_and_default(heading: str) -> None:
    wanted = list(keys_of(*SECTIONS[heading]))
    assert [row[:3] for row in tables()[heading]] == wanted


def test_every_key_has_a_meaning_and_every_table_is_checked() -> None:
    assert set(tables()) == set(SECTIONS)
    short = [row[0] for rows in tables().values() for row in rows if len(row[3]) < 10]
    assert not short


def test_a_key_that_is_added_would_be_noticed() -> None:
    class More(Skip):
        unless: int = 3

    assert list(keys_of(More, ""))[-1] == ("unless", "integer", "`3`")
