"""Why a launch of a grid would be refused, for ``facegrid plan``: it asks what a launch asks first, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable

from grid.execution.executor import executor_of
from grid.execution.notify import check_command
from grid.ledger.study_store import check_store
from grid.plan.plan import store_of, study_of
from grid.plan.preflight import check_folders, earlier_record
from grid.spec.grid_file import BadInput, Grid
from grid.tracking.uri import tracking_of


def refusals(grid: Grid) -> list[str]:
    """One line for each reason: an executor, a command, an address or claims that are wrong, folders that cannot be written.

    What takes seconds is left to the launch: whether a cluster, a bucket or a server answers.
    """
    launch, study, store = grid.spec.launch, study_of(grid).absolute(), store_of(grid)
    record = earlier_record(study)
    checks: list[Callable[[], object]] = [
        lambda: executor_of(launch),
        lambda: check_command(launch.notify),
        lambda: check_claims(grid),
        lambda: check_folders(study, store),
        lambda: check_store(study, store, record) if record else None,
        lambda: tracking_of({"tracking": launch.tracking}, study),
    ]
    found = []
    for check in checks:
        try:
            check()
        except BadInput as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def check_claims(grid: Grid) -> None:
    """Raises BadInput for claims that are wrong, as far as that can be said without results."""
    if grid.spec.launch.claims is not None:
        from grid.analysis import claim_verdicts  # imports what takes long

        claim_verdicts.check_claims(grid.spec.launch.claims, grid.axes)
