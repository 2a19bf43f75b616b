"""What an evaluation task is: which images it needs, how embeddings become numbers, and how these are shown.

A built-in task is a file of ``grid/evaluation``, found by its name; ``ProtocolConfig.task`` names it, and may name a user's own
module by its dotted path. Such a module has ``rows(asked)`` and ``evaluate(asked, seen, protocol)``, and may have a ``Task``.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from grid.spec.measure import Measure, measures_in

if TYPE_CHECKING:
    import numpy as np

PACKAGE = "grid.evaluation"


class EvaluationTask:
    """One task. It describes; the functions ``rows`` and ``evaluate`` of its module compute, and their code decides results.

    Attributes:
        question: the method of a protocol that says what is asked of a manifest. What it returns has a ``digest``, and
            ``rows`` of the manifest or ``templates`` that have them.
        pairs: what is asked are pairs of images.
        fixed: its lists are whole or nothing, so subjects that were trained on cannot be left out.
    """

    question: ClassVar[str] = "asked"
    pairs: ClassVar[bool] = False
    fixed: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def module(self) -> str:
        return type(self).__module__

    def rows(self, asked: Any) -> np.ndarray:
        """int64, rising: the rows of the manifest that are asked for."""
        found: np.ndarray = importlib.import_module(self.module).rows(asked)
        return found

    def evaluate(self, asked: Any, seen: Any, protocol: Any) -> Any:
        """The ``EvaluationResult`` of what a protocol asks, given ``Embedded`` images: see ``grid.evaluation.evaluator``."""
        return importlib.import_module(self.module).evaluate(asked, seen, protocol)

    def measures(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Measure]:
        """What tables show, given the ``metrics.json`` of several cells."""
        return measures_in(found)

    def placed(self, asked: Any, rows: np.ndarray) -> Any:
        """What was asked of a subset of a manifest, as asked of all of it; ``rows`` says where the subset's rows are there."""
        return dataclasses.replace(asked, rows=rows[asked.rows])

    def sample(self, asked: Any, count: int) -> Any | None:
        """For a quick look: about ``count`` of what is asked; None where a few images give no numbers, so none are computed."""
        return None


@cache
def evaluation_task(name: str) -> EvaluationTask:
    """The task of that name.

    Raises:
        ValueError: there is none.
    """
    path = name if "." in name else f"{PACKAGE}.{name}"
    try:
        module = importlib.import_module(path)
    except ImportError as error:
        raise ValueError(f"evaluation task {name!r} is no module that can be imported here ({error})") from error
    if missing := [function for function in ("rows", "evaluate") if not callable(getattr(module, function, None))]:
        raise ValueError(f"evaluation task {name!r}: the module has no function {' and no function '.join(missing)}")
    found = getattr(module, "Task", None) or type("Task", (EvaluationTask,), {"__module__": path})
    if not (isinstance(found, type) and issubclass(found, EvaluationTask)):
        raise ValueError(f"evaluation task {name!r}: its class Task is no grid.evaluation.task.EvaluationTask")
    return found(name)


def known_task(name: str) -> EvaluationTask:
    """As ``evaluation_task``, for reading results: where a user's module is not at hand, what holds for tasks by default."""
    try:
        return evaluation_task(name)
    except ValueError:
        return EvaluationTask(name)
