"""The ``work`` command: a worker that takes ready stages of a study."""

from __future__ import annotations

from typing import Annotated

import typer

from grid.cli.interrupts import Interrupts
from grid.terminal import StudyFolder, WhereText, out

Patience = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0, help="longest wait for others' stages, then exit code 1 [default: as long as they run]"
    ),
]


_SPENT = "that the study may spend, earlier launches included"
MaxGpuHours = Annotated[float | None, typer.Option(metavar="HOURS", min=0, help=f"GPU-hours {_SPENT}")]
MaxCpuHours = Annotated[float | None, typer.Option(metavar="HOURS", min=0, help=f"CPU-hours {_SPENT}")]
MaxCost = Annotated[float | None, typer.Option(metavar="MONEY", min=0, help=f"money {_SPENT}, by launch.prices")]


def work(
    context: typer.Context,
    study: StudyFolder,
    where: WhereText = None,
    patience: Patience = None,
    max_gpu_hours: MaxGpuHours = None,
    max_cpu_hours: MaxCpuHours = None,
    max_cost: MaxCost = None,
) -> None:
    """Run stages of a study as they become ready, beside other workers, until none is left.

    For Slurm arrays, Kubernetes jobs or a second terminal: no Ray, no server, only the study's folder and its store.
    ``facegrid launch GRID --no-run`` makes the study.
    """
    from grid.ledger.study import Study
    from grid.ledger.workers import announced
    from grid.results.spending import prices_of
    from grid.spec.cell_filter import parse_cell_filter
    from grid.spec.spending_limits import Limits

    context.ensure_object(Interrupts).install_ctrl_c()
    limits, found = Limits(max_gpu_hours, max_cpu_hours, max_cost), Study(study)
    limits.check(prices_of(found.record))

    with announced(found.path):
        from grid.execution.pull_worker import work as run  # takes seconds

        raise typer.Exit(run(found, parse_cell_filter(where), patience, out, limits))
