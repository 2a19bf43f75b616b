"""A file of claims about a study: orderings of cells, and limits of numbers, that its data may support or contradict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from configs.component import Config
from grid.spec.config_errors import KeyOrigins, explain
from grid.spec.grid_file import BadInput
from grid.spec.yaml_source import read_yaml


def _levels(value: Any) -> Any:
    """Levels as text: YAML reads a level such as 160 as a number."""
    if not isinstance(value, dict):
        return value
    return {axis: [str(one) for one in level] if isinstance(level, list) else [str(level)] for axis, level in value.items()}


Cells = Annotated[dict[str, list[str]], BeforeValidator(_levels)]  # axis -> accepted levels


class Claim(Config):
    """One sentence about a metric: cells in an order (``order``), or cells below or above a limit.

    A set of cells stands for the mean over them. With ``for_each``, the claim must hold at every combination of these axes.
    """

    claim: str  # the sentence
    metric: str | None = None  # key of metrics.json, such as auc or val:0.01; None: the first of the table
    protocol: str | None = None  # None: every protocol with this metric
    where: Cells = Field(default_factory=dict)  # the cells that the sentence is about; empty: all
    order: tuple[Cells, ...] = ()  # sets of cells, best first
    for_each: tuple[str, ...] = ()  # axes
    below: float | None = None  # cells are below this number, as a fraction
    above: float | None = None
    cells: Literal["all", "most"] | Annotated[int, Field(ge=1)] = "all"  # how many are, for `below` and `above`

    @model_validator(mode="after")
    def _one_form(self) -> Claim:
        forms = [bool(self.order), self.below is not None, self.above is not None]
        if sum(forms) != 1:
            raise ValueError("a claim has one of order, below and above")
        if self.order and len(self.order) < 2:
            raise ValueError("an order has two sets of cells or more, best first")
        if self.order and self.cells != "all":
            raise ValueError("cells counts those below or above a limit; an order has none")
        if self.for_each and not self.order:
            raise ValueError("for_each repeats an order; a limit is of every cell anyway")
        return self


class Claims(Config):
    """A file of claims.

    Attributes:
        source: where they come from.
    """

    source: str = ""
    claims: tuple[Claim, ...]


def read_claims(path: Path) -> Claims:
    """Reads a file of claims.

    Raises:
        BadInput: names file, line, key, what was found and what is known.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file of claims")
    source = read_yaml(path, BadInput)
    if not isinstance(source.value, dict):
        raise BadInput(f"{path}: a file of claims is a mapping with source and claims; found {type(source.value).__name__}")
    try:
        return Claims.model_validate(source.value)
    except ValidationError as error:
        raise BadInput(explain(error, KeyOrigins(source), Claims, source.value)) from error
