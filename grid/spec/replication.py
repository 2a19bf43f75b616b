"""Sequential replication: replicates are added only to cells with a difference that is still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from configs.component import Config
from grid.spec.ensemble import Ensemble
from grid.spec.skip import Skip

if TYPE_CHECKING:  # it imports NumPy, which commands that read no results do without
    from modules.metrics.group_sequential import Contrast


class Until(Config):
    """What closes a difference: its interval excludes 0, or is narrow enough."""

    metric: str  # key in metrics.json, such as auc or val:0.01
    half_width: float = Field(gt=0)  # of an interval that is narrow enough; in the unit of the metric, 0.01 is one point
    protocol: str | None = None  # title; None: the first one
    of: Literal["pairs", "neighbors", "means"] = "pairs"  # every two cells; those that differ in one axis; each cell's mean


class Replication(Config):
    """``at_least`` replicates of every cell, then one more wherever a difference is open, up to ``at_most``."""

    at_least: int = Field(3, ge=2)
    at_most: int = Field(le=100)
    until: Until

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.at_most <= self.at_least:
            raise ValueError(
                f"at_most is {self.at_most}, not above at_least, {self.at_least}; or write `replicates: {self.at_least}`"
            )
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of replicates after which differences are judged."""
        return tuple(range(self.at_least, self.at_most + 1))

    def contrasts(self, cells: Sequence[Mapping[str, str]]) -> tuple[Contrast, ...]:
        """What is judged.

        Args:
            cells: the levels of each, without the replicate.
        """
        if self.until.of == "means":
            return tuple((number, None) for number in range(len(cells)))
        pairs = combinations(range(len(cells)), 2)
        if self.until.of == "pairs":
            return tuple(pairs)
        return tuple(pair for pair in pairs if _differences(cells[pair[0]], cells[pair[1]]) == 1)

    def complaints(
        self, protocols: Sequence[Any], skip: Sequence[Skip], ensembles: Sequence[Ensemble], axis: str
    ) -> Iterator[tuple[str, str]]:
        """What in a grid file does not go with it: (key, why).

        Args:
            axis: of the replicates.
        """
        fixed = f"the results decide how many levels {axis!r} has; write `replicates` as a number, or leave this axis out"
        if not protocols:
            yield "replicates", "`until` reads a metric of a protocol, and there are no protocols; add one"
        yield from ((f"skip.{number}", fixed) for number, one in enumerate(skip) if axis in one.when)
        yield from ((f"ensembles.{number}", fixed) for number, one in enumerate(ensembles) if one.over == axis)


def _number_or_rule(value: Any) -> Any:
    """Validates either form by itself: the errors of a union would name both."""
    if isinstance(value, Mapping | Replication):
        return Replication.model_validate(value)
    return TypeAdapter(Annotated[int, Field(ge=1)]).validate_python(value)


Replicates = Annotated[int | Replication, BeforeValidator(_number_or_rule)]


@dataclass(frozen=True)
class Granted:
    """The replicates that a combination has or may run now.

    Attributes:
        final: no more will follow.
    """

    count: int
    final: bool


def _differences(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    return sum(one[axis] != other[axis] for axis in one)
