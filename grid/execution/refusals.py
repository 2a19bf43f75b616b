"""Why a launch of a grid would be refused, for ``facegrid plan``: it asks what a launch asks first, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable

from grid.execution.executor import executor_of
from grid.execution.notify import check_command
from grid.ledger.store import open_store
from grid.ledger.study_store import check_store
from grid.plan.devices import check_other_devices
from grid.plan.plan import PENDING, Plan, store_of, study_of
from grid.plan.preflight import check_folders, earlier_record
from grid.spec.grid_file import BadInput, Grid
from grid.spec.stage_kind import stage_kind
from grid.spec.stage_name import TRAIN
from grid.spec.training import Training
from grid.tracking.uri import tracking_uri

REFUSED = "[red]a launch would be refused[/]: {}"  # how a reason is printed


def refusals(plan: Plan) -> list[str]:
    """One line for each reason: an executor, a command, an address or claims that are wrong, folders that cannot be written,
    devices that the trainings cannot have.

    What takes seconds is left to the launch: whether a cluster, a bucket or a server answers, and what its nodes have.
    """
    grid = plan.grid
    launch, study, store = grid.spec.launch, study_of(grid).absolute(), store_of(grid)
    record = earlier_record(study)
    checks: list[Callable[[], object]] = [
        lambda: check_executor(plan),
        lambda: check_command(launch.notify),
        lambda: check_claims(grid),
        lambda: check_folders(study, store),
        lambda: check_store(study, store, record) if record else None,
        lambda: check_other_devices(plan),
        lambda: tracking_uri(launch.tracking, study),
    ]
    found = []
    for check in checks:
        try:
            check()
        except BadInput as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def check_executor(plan: Plan) -> None:
    """Raises BadInput if there is no such executor, or it cannot run what is to run."""
    launch = plan.grid.spec.launch
    executor = executor_of(launch)
    pending = [cell.cell for cell in plan.cells if cell.state == PENDING and cell.cell is not None]
    if not plan.open and not pending:
        return
    found = [stage.node.config.get("training") for stage in plan.open if stage_kind(stage.stage).epochs]
    trainings = [training for training in found if isinstance(training, Training)]
    most = max((training.compute.devices for training in (*trainings, *pending)), default=1)
    usable = most if most == 1 else launch.ranks or most
    kinds = {*(stage.stage for stage in plan.open), *([TRAIN] if pending else [])}
    executor.check_work(open_store(store_of(plan.grid)), min(usable, launch.fewest_devices or usable), usable, kinds)


def check_claims(grid: Grid) -> None:
    """Raises BadInput for claims that are wrong, as far as that can be said without results."""
    if grid.spec.launch.claims is not None:
        from grid.analysis import claim_verdicts  # imports what takes long

        claim_verdicts.check_claims(grid.spec.launch.claims, grid.axes)
