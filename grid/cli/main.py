"""The command line. Each command imports its dependencies when it runs, so that help and completion are fast."""

from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grid.cli.accept import accept
from grid.cli.claims import claims as judge_claims
from grid.cli.cluster import cluster
from grid.cli.compare import compare
from grid.cli.data import data
from grid.cli.explain import explain
from grid.cli.export import embed, export, verify
from grid.cli.figures import figures
from grid.cli.interrupts import Interrupts
from grid.cli.judge import judge
from grid.cli.logs import logs
from grid.cli.mine import mine
from grid.cli.prune import prune
from grid.cli.study import study
from grid.cli.work import MaxCost, MaxCpuHours, MaxGpuHours, work
from grid.secrets import masked_text
from grid.terminal import Address, AsJson, StudyFolder, WhereText, answer, counted, degrade_output, err, out, styled
from grid.version import VERSION

if TYPE_CHECKING:
    from grid.spec.grid_file import Grid

_ROOM = "make room, then run the same command again: what was finished is kept"
_LATER = "when it can, run the same command again: what was finished is kept"
_RIGHT = "change the rights, or choose other folders with launch.study and launch.store"
CURE = {  # system errors that no command can fix
    errno.ENOSPC: _ROOM, errno.EDQUOT: _ROOM, errno.EACCES: _RIGHT, errno.EPERM: _RIGHT, errno.EROFS: _RIGHT,
    errno.EIO: "check the disk", errno.ESTALE: "mount the disk again", errno.ENOTCONN: "mount the disk again",
    errno.EMFILE: "raise the limit on open files (ulimit -n)", errno.ELOOP: "remove the loop of links",
    errno.ENAMETOOLONG: "choose a shorter path", errno.ENOTDIR: "name a folder", errno.EISDIR: "name a file",
    errno.ENOENT: "correct the path, or make the folder that it names first",
    errno.EEXIST: "choose another path",
}  # fmt: skip

app = typer.Typer(
    name="facegrid",
    help="Declare a face-recognition study as a factorial grid; run every cell anywhere, exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
GridFile = Annotated[Path, typer.Argument(metavar="GRID", readable=False, help="grid file, such as configs/grids/demo.yaml")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="KEY.PATH=VALUE", help="overrides, such as recipe.epochs=2")]


def _read(
    grid: Path, overrides: list[str] | None, where: list[str] | None, **options: str | None
) -> tuple[Grid, dict[str, list[str]]]:
    """The grid and the filter of its cells, checked as far as that needs no torch, whose import takes seconds.

    Args:
        options: keys of ``launch`` that options of a command set
    """
    from grid.spec.cell_filter import parse_cell_filter
    from grid.spec.early_check import check_early
    from grid.spec.grid_file import read

    given = [f"launch.{key}={json.dumps(value)}" for key, value in options.items() if value is not None]
    found, chosen = read(grid, [*(overrides or []), *given]), parse_cell_filter(where)
    check_early(found, chosen)
    return found, chosen


def _version(asked: bool) -> None:
    if asked:
        print(f"facegrid {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    show: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")] = False,
) -> None:
    """Declare a face-recognition study as a factorial grid; run every cell anywhere, exactly once."""


@app.command()
def plan(
    grid: GridFile,
    overrides: Overrides = None,
    where: WhereText = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="SHAPE", help="also estimate time, hours and money on a cluster such as 4x8:H100 or 4x8:H100/64"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every cell, its state and its cost; compute nothing.

    Also shows why cells cannot run, and which stages cells share.
    """
    spec, chosen = _read(grid, overrides, where, cluster=cluster)

    from dataclasses import replace

    from grid.plan.cost import cost
    from grid.plan.design_lines import design_lines
    from grid.plan.inputs import InputResolver
    from grid.plan.plan import make_plan, store_of
    from grid.plan.power import power_lines
    from grid.plan.preflight import remarks
    from grid.plan.table import plan_table

    resolver = InputResolver(store_of(spec))
    found = make_plan(spec, chosen, resolver)
    costs = cost(found, resolver)
    spending = None
    if spec.spec.launch.cluster is not None:
        from grid.execution.spending_estimate import estimate, estimate_lines

        spending = estimate(replace(found, costs=costs), spec.spec.launch.cluster)
    from grid.execution.refusals import REFUSED, refusals

    refused = refusals(found)
    measured = []
    if spec.spec.launch.measures:
        from grid.execution.measured_lines import measured_lines

        measured = measured_lines(found)
    if as_json:
        said: dict[str, Any] = {"left_out": remarks(found), "design": design_lines(found), "refusals": refused}
        said |= {"power": power_lines(found, resolver), "spending": spending and spending.record()}
        said |= {"measured": measured} if spec.spec.launch.measures else {}
        print(json.dumps({**found.record(), "cost": costs, **said}, indent=1))
    else:
        out.print(plan_table(found, costs))
        for remark in remarks(found):
            out.print(f"left out {remark}")
        for line in [*design_lines(found), *power_lines(found, resolver), *measured]:
            out.print(line)
        for line in estimate_lines(spending, str(grid)) if spending else []:
            out.print(line, soft_wrap=True)
        for line in refused:
            out.print(styled(REFUSED, line), soft_wrap=True)


@app.command()
def launch(
    context: typer.Context,
    grid: GridFile,
    overrides: Overrides = None,
    where: WhereText = None,
    retry: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="run failed or stale stages again; may be repeated")
    ] = None,
    address: Address = None,
    new_store: Annotated[
        bool,
        typer.Option("--new-store", help="compute everything again in an empty store, because the earlier results are lost"),
    ] = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="write the study and run nothing; workers (`facegrid work`) run its stages")
    ] = False,
    max_gpu_hours: MaxGpuHours = None,
    max_cpu_hours: MaxCpuHours = None,
    max_cost: MaxCost = None,
    as_json: AsJson = False,
) -> None:
    """Run the missing stages of a grid."""
    from grid.spec.grid_file import BadInput
    from grid.spec.spending_limits import Limits

    for word in retry or []:
        if word not in ("failed", "stale"):
            raise BadInput(f"--retry {word!r}: known are failed and stale")
    spec, chosen = _read(grid, overrides, where, address=address or None)
    limits = Limits(max_gpu_hours, max_cpu_hours, max_cost)
    limits.check(spec.spec.launch.prices)
    context.ensure_object(Interrupts).install_ctrl_c()
    console = err if as_json else out
    console.print(styled("[bold]{}[/]: checking the grid, its data and its networks", spec.spec.name))  # imports take seconds

    from grid.execution.launch import launch as run
    from grid.ledger.study import Study
    from grid.plan.plan import study_of
    from grid.results.status import status as status_of

    code = run(spec, chosen, retry or [], console, new_store, no_run, limits)
    if as_json:
        print(json.dumps(status_of(Study(study_of(spec))), indent=1))
    raise typer.Exit(code)


@app.command()
def debug(
    grid: GridFile,
    overrides: Overrides = None,
    where: WhereText = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="check in seconds that the cell runs: a few images, one training batch")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="discard earlier results of debug")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one cell in this process, so that breakpoints work."""
    from grid.tracebacks import show_own

    sys.excepthook = show_own
    spec, chosen = _read(grid, overrides, where)

    from grid.execution.debug import debug as run

    metrics = run(spec, chosen, fast, again, err if as_json else out)
    if as_json:
        print(json.dumps(metrics, indent=1))


@app.command()
def status(
    study: StudyFolder,
    watch: Annotated[
        bool, typer.Option("--watch", help="keep showing cells, stages, nodes and time left until nothing is running")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the status of a study: cells by state, errors, what was spent."""
    from grid.ledger.study import Study
    from grid.results import status as room

    if watch:
        from grid.results.watch import watch as follow

        follow(study, err if as_json else out)
    found = Study(study)
    if as_json:
        print(json.dumps(room.status(found), indent=1))
    else:
        out.print(room.show(found))


@app.command()
def report(
    study: StudyFolder,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="folder to write to [default: report/ in the study]")
    ] = None,
    faces: Annotated[
        bool, typer.Option("--faces/--no-faces", help="show faces of the data, or a mean face under each map")
    ] = True,
    margin: Annotated[
        float, typer.Option(help="margin of the equivalence tests: differences below this fraction do not matter")
    ] = 0.01,
    claims: Annotated[
        Path | None, typer.Option(metavar="FILE", help="claims to judge [default: launch.claims of the grid file]")
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS=LEVEL,...", help="if there are very many cells, also compare and show these, in addition to the best"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a study: an HTML page, tables and figures."""
    from grid.ledger.study import Study
    from grid.report.build import build
    from grid.report.console import table
    from grid.spec.cell_filter import parse_cell_filter
    from grid.spec.grid_file import BadInput

    if not margin > 0:
        raise BadInput(f"--margin {margin:g}: a difference that does not matter is above 0, such as 0.01 for one point")

    found = Study(study, faces)
    page = build(
        found, to if to or faces else found.path / "report-no-faces", margin, claims, parse_cell_filter(compare, "--compare")
    )
    if as_json:
        print(page.with_name("report.json").read_text(encoding="utf-8"))
    else:
        out.print(table(found))
        out.print(f"report: {page}")


@app.command()
def sync(study: StudyFolder, as_json: AsJson = False) -> None:
    """Copy what is missing in MLflow from the ledger.

    Exit code 1 if something could not be copied.
    """
    from grid.ledger.lock import Lock
    from grid.ledger.store import LocalStore
    from grid.ledger.study import Study
    from grid.ledger.study_identity import own_identity
    from grid.report.build import build
    from grid.tracking.sync import TrackingUnreachable
    from grid.tracking.sync import sync as run

    found = Study(study)
    with Lock(LocalStore(found.path), f"sync of {found.name}") as lock:
        copied = own_identity(found.path)
        found = Study(study)
        build(found)
        try:
            lock.check()
            result = run(found.path, check=lock.check)
        except TrackingUnreachable as error:
            err.print(styled("[red]facegrid:[/] {}", masked_text(str(error))))
            raise typer.Exit(1) from error
    facts = {"experiment": result.experiment, "runs": result.runs, "problems": result.problems}
    answer(facts, as_json, [f"experiment {result.experiment}: {counted(len(result.runs), 'run')}"])
    for line in (*([copied] if copied else []), *result.said, *result.problems):
        err.print(f"MLflow: {line}")
    raise typer.Exit(1 if result.problems else 0)


@app.command()
def ui(
    study: StudyFolder,
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of the MLflow server")] = 5000,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
) -> None:
    """Open the study in the MLflow UI."""
    from grid.ledger.study import Study
    from grid.tracking.mlflow_ui import ui as run

    raise typer.Exit(run(Study(study), port=port, host=host, say=lambda text: out.print(text, soft_wrap=True)))


app.command()(mine)
app.command()(logs)
app.command()(accept)
app.command()(work)
app.command()(prune)
app.command()(figures)
app.command()(compare)
app.command("claims")(judge_claims)
app.command()(explain)
app.command()(judge)
app.command()(export)
app.command()(embed)
app.command()(verify)
app.add_typer(data, name="data")
app.add_typer(study, name="study")
app.add_typer(cluster, name="cluster")


def main() -> None:
    """Entry point: exit codes 0 done, 1 some cells failed, 2 bad input, 3 a limit of spending, 130 interrupted."""
    for key, value in {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_ALBUMENTATIONS_UPDATE": "1"}.items():
        os.environ.setdefault(key, value)
    degrade_output()
    os.environ.setdefault("PYTHONUTF8", "1")  # child processes of a launch then use UTF-8 in any locale
    from grid.abort import LaunchAborted
    from grid.ledger.lock import Held
    from grid.spec.grid_file import BadInput
    from grid.tracebacks import show_own

    # Hides Pillow's warning about images that facegrid rejects anyway; Pillow must not be imported for that.
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")
    interrupts = Interrupts()
    interrupts.install()
    try:
        app(obj=interrupts)
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != 130:  # typer converts a KeyboardInterrupt to this
            raise
        err.print("facegrid: interrupted; the same command goes on from here")
        sys.exit(130)
    except (BadInput, Held, LaunchAborted) as error:
        err.print(styled("[red]facegrid:[/] {}", masked_text(str(error))))
        sys.exit(1 if isinstance(error, LaunchAborted) else 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if sys.excepthook is show_own:  # in debug, a component may have raised it
            raise
        from grid.ledger.storage_errors import store_failed

        store = store_failed(error)
        if error.errno not in CURE:
            if not store:
                raise
            words = masked_text(" ".join(str(error).split()))
            err.print(styled("[red]facegrid:[/] the store cannot be read or written: {}; {}", words, _LATER))
            sys.exit(1)
        where = error.filename or ("the store" if store else "a file or folder")
        err.print(styled("[red]facegrid:[/] {}: {}; {}", where, error.strerror, CURE[error.errno]))
        sys.exit(1 if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else 2)
