"""Defines an evaluation task: which images it needs, how it computes results from embeddings, and how these are shown.

A built-in task is a file in ``grid/evaluation``, found by its name; ``ProtocolConfig.task`` names it, or gives the dotted path
of a user's module. Such a module has ``rows(asked)`` and ``evaluate(asked, seen, protocol)``, and may have a ``Task``.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from configs.contract import broken, naming, see
from configs.lookup import module_named
from grid.spec.measure import Measure, measures_in

if TYPE_CHECKING:
    import numpy as np

PACKAGE = "grid.evaluation"
PAGE = "evaluation_task"  # of docs/extending


class EvaluationTask:
    """One task: a description. Its module's functions ``rows`` and ``evaluate`` compute, and only their code affects results.

    Attributes:
        question: the protocol's method that returns the evaluation data for a manifest. The returned object has a ``digest``,
            and ``rows`` of the manifest or ``templates`` that have them.
        pairs: the evaluation data are pairs of images.
        fixed: its lists cannot be reduced, so training subjects cannot be left out.
        predicts: it evaluates the predictions for the training's targets (``Embedded.predictions``).
    """

    question: ClassVar[str] = "asked"
    pairs: ClassVar[bool] = False
    fixed: ClassVar[bool] = False
    predicts: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def module(self) -> str:
        return type(self).__module__

    def rows(self, asked: Any) -> np.ndarray:
        """int64, ascending: the requested rows of the manifest.

        Raises:
            ContractError: the module's ``rows`` returned something else.
        """
        import numpy as np

        found: np.ndarray = importlib.import_module(self.module).rows(asked)
        with naming("evaluation task", self.name):
            integers = isinstance(found, np.ndarray) and found.ndim == 1 and np.issubdtype(found.dtype, np.integer)
            if not integers or not len(found):
                raise broken("rows returned", found, "a numpy array of integers (U,), rows of the manifest", PAGE)
            if found[0] < 0 or (np.diff(found) <= 0).any():
                raise broken("rows returned", found, "rows of the manifest in ascending order, each once (np.unique)", PAGE)
        return found

    def evaluate(self, asked: Any, seen: Any, protocol: Any) -> Any:
        """The ``EvaluationResult`` of a protocol's evaluation data and ``Embedded`` images; see ``evaluator.py``.

        Raises:
            ContractError: the module's ``evaluate`` returned something else.
        """
        from grid.evaluation.evaluator import check_measures, check_result

        found = importlib.import_module(self.module).evaluate(asked, seen, protocol)
        with naming("evaluation task", self.name):
            check_result(found, seen.folder)
            if not self.module.startswith(f"{PACKAGE}."):
                check_measures(self.measures([found.metrics]), found.metrics)
        return found

    def measures(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Measure]:
        """The table columns, given the ``metrics.json`` of several cells."""
        return measures_in(found)

    def figures(self, found: Mapping[str, Any]) -> Mapping[str, bytes]:
        """PNG drawn from the ``metrics.json`` of a cell for tracking, by title: by default none."""
        return {}

    def placed(self, asked: Any, rows: np.ndarray) -> Any:
        """Translates evaluation data of a subset of a manifest to the whole; ``rows`` maps the subset's rows to the whole."""
        return dataclasses.replace(asked, rows=rows[asked.rows])

    def sample(self, asked: Any, count: int) -> Any | None:
        """For ``debug --fast``: a sample of about ``count``; None if a few images yield no numbers, so none are computed."""
        return None


@cache
def evaluation_task(name: str) -> EvaluationTask:
    """The task with that name.

    Raises:
        ValueError: there is none.
    """
    module = module_named("evaluation task", name, PACKAGE)
    if missing := [function for function in ("rows", "evaluate") if not callable(getattr(module, function, None))]:
        raise ValueError(
            f"evaluation task {name!r}: the module has no function {' and no function '.join(missing)}; {see(PAGE)}"
        )
    found = getattr(module, "Task", None) or type("Task", (EvaluationTask,), {"__module__": module.__name__})
    if not (isinstance(found, type) and issubclass(found, EvaluationTask)):
        raise ValueError(f"evaluation task {name!r}: its class Task does not derive from grid.evaluation.task.EvaluationTask")
    return found(name)


def known_task(name: str) -> EvaluationTask:
    """Like ``evaluation_task``, for reading results: if a user's module is unavailable, the defaults are used."""
    try:
        return evaluation_task(name)
    except ValueError:
        return EvaluationTask(name)
