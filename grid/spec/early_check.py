"""Checks the cells of a grid as far as that needs no torch, whose import takes seconds: so most mistakes are answered at once.

Resolving a cell imports the modules of its components, and those of networks import torch. Here the parts without networks are
resolved, and of the others names and keys are looked up. What passes is resolved later all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ValidationError, create_model

from configs.component import Config
from configs.lookup import SHORTHANDS, check_name, nearest
from configs.written_fields import written_fields
from grid.spec.cell import Cell
from grid.spec.cell_filter import check_cell_filter
from grid.spec.config_errors import KeyOrigins, explain
from grid.spec.grid_file import LISTS, BadInput, Grid

NAMED = {  # fields whose components import torch -> their kind
    "detector": "detector", "backbone": "backbone", "head": "head", "loss": "loss", "recipe": "recipe",
    "pretraining": "pretraining", "batches": "batches", "explainers": "explainer", "stages": "stage",
}  # fmt: skip
UNCHECKED = ("targets", "reconstruction", "search")  # they contain such components
MOST = 1000  # combinations that are looked at


def check_early(grid: Grid, where: Mapping[str, Sequence[str]] | None = None) -> None:
    """Checks each different value of each part once.

    Args:
        where: axis -> levels of the cells that are asked for

    Raises:
        BadInput: an unknown key, component, axis or level, or a value that is not allowed.
    """
    check_cell_filter(where, grid.axes)
    seen: set[tuple[str, str]] = set()
    for _, _, written in islice(grid.written(), MOST):
        if written is None:
            continue
        settings, origins = written
        for field in (*(set(settings) - set(Cell.model_fields)), *_fields()):
            part = {field: settings[field]} if field in settings else {}
            if (field, said := repr(part)) in seen:
                continue
            seen.add((field, said))
            try:
                _model(field).model_validate(part)
            except ValidationError as error:
                raise BadInput(explain(error, origins, Cell, settings)) from error
            for place, value in _parts(part):
                _check_keys(field, place, value, origins)


def _parts(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The mappings in a field, each with its key."""
    for field, value in part.items():
        for number, one in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(one, Mapping):
                yield (field if number is None else f"{field}.{number}"), one


def _check_keys(field: str, place: str, value: Mapping[str, Any], where: KeyOrigins) -> None:
    """Raises BadInput if a component of ``NAMED`` has an unknown key."""
    fields = written_fields(NAMED[field], str(value.get("name"))) if field in NAMED else None
    odd = next((key for key in value if isinstance(key, str) and key not in fields), None) if fields else None
    if fields and odd is not None:
        key = f"{place}.{odd}"
        raise BadInput(f"{where.at(key)}: unknown key {key!r}{nearest(odd, fields, f'{place}.')}")


@cache
def _fields() -> tuple[str, ...]:
    """The fields of a cell that are looked at, those with components that import torch last."""
    return tuple(sorted(set(Cell.model_fields) - set(UNCHECKED), key=lambda field: field in NAMED))


@cache
def _model(field: str) -> type[BaseModel]:
    """A config with this field of a cell alone; without any if a cell has no such field."""
    if field not in Cell.model_fields:
        return Config
    info = Cell.model_fields[field]
    own: Any = (info.annotation, info)
    if field in NAMED:
        named: Any = Annotated[Any, AfterValidator(partial(_checked_name, NAMED[field]))]
        own = (tuple[named, ...] if field in LISTS else named, ... if info.is_required() else ())
    return create_model(field, __base__=Config, **{field: own})


def _checked_name(kind: str, value: Any) -> Any:
    """Checks the name of a component; what is no component is refused later."""
    name = value.get("name") if isinstance(value, Mapping) else value
    if isinstance(name, str):
        check_name(kind, SHORTHANDS[kind]({"name": name})["name"] if kind in SHORTHANDS else name)
    return value
