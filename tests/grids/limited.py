"""Sessions with a limit of spending, of a study that has spent nothing yet."""

from grid.execution.executor import Session
from grid.execution.scheduler import WorkQueue
from grid.execution.spending_limit import SpendingLimit
from grid.ledger.ledger import Ledger
from grid.ledger.study import Study
from grid.plan.plan import make_plan, store_of
from grid.plan.study_record import write_plan
from grid.spec.grid_file import Grid
from grid.spec.prices import Prices
from grid.spec.spending_limits import Limits


def limited(grid: Grid, queue: WorkQueue, limits: Limits) -> Session:
    """A session for the queue, whose stages are expected to take ``queue.expected`` on one CPU."""
    plan = make_plan(grid)
    write_plan(plan, grid)
    limit = SpendingLimit(Study(plan.study), limits, Prices(), queue.expected, lambda work: {"CPU": 1.0})
    return Session(queue, Ledger(store_of(grid)), limit=limit, study=plan.study)
