"""Judges networks: writes a grid with one axis, runs its cells in this process, and builds their report.

Neither Ray nor MLflow is used. The grid file stays in the study's folder, so that `facegrid launch` can continue it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError
from rich.console import Console

from configs.lookup import lookup, resolve
from grid.execution.executor import Session
from grid.execution.launch import void_changed, whole_queue
from grid.execution.local import LocalExecutor
from grid.execution.process_state import fresh_process_state
from grid.execution.progress import Display
from grid.judge.networks import Judged
from grid.judge.panels import differentials, explainers, worst_pairs
from grid.judge.preprocessing import FACES, PARTS, Preprocessing
from grid.judge.sample import Sample
from grid.judge.stored_results import check_stored_results
from grid.judge.survey import Finding, survey
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import Plan, store_of
from grid.plan.preflight import checked_plan, prepare
from grid.plan.study_record import write_plan
from grid.report.build import build
from grid.spec.config_errors import complaint
from grid.spec.grid_file import BadInput, Grid, read
from grid.terminal import styled
from modules.layers.normalize import unit

GRID, FINDINGS = "judge.yaml", "preprocessing.json"
SHARD = 512  # images of a detection that a process takes at a time: few, so that all processes end together
AXIS = "model"
BATCH = 64  # images of the trial that a network embeds at a time, so that large networks fit


@dataclass(frozen=True)
class Request:
    """What is judged, and how.

    Attributes:
        networks: with titles that differ
        protocols: as in a grid file
        to: the study's folder
        stated: parts of the preprocessing that the user stated; the others may be replaced
        threads: of each forward pass
        store: of an earlier study, whose detections are then used again
        explained: number of worst pairs of each kind that are explained
    """

    networks: tuple[Judged, ...]
    protocols: list[dict[str, Any]]
    to: Path
    stated: frozenset[str]
    threads: int = 1
    store: str | None = None
    explained: int = 0


def judge(request: Request, console: Console) -> tuple[Study, dict[str, list[Finding]], bool]:
    """Runs what is missing; returns the study, what was tried for each network, and whether all cells are done.

    Raises:
        BadInput: data are missing, a network is refused, or stored embeddings or scores are incomplete.
    """
    grid = _grid(request)
    study = request.to.absolute()
    prepare(study, store_of(grid))
    with Lock(LocalStore(study), "judge") as lock:
        plan = checked_plan(grid, None, console)
        check_stored_results(plan, plan.resolver)
        findings = _findings(request, plan.resolver, console)
        networks = tuple(_better(one, findings[one.title], request.stated) for one in request.networks)
        more = differentials(plan, plan.resolver)
        if networks != request.networks or more:
            grid = _grid(replace(request, networks=networks), more)
            plan = checked_plan(grid, None, console)
        record = {title: [asdict(one) for one in found] for title, found in findings.items()}
        (study / FINDINGS).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        done = _run(plan, grid, lock, console)
        if done and request.explained:
            grid = _explaining(request, networks, more, Study(study), console)
            done = _run(checked_plan(grid, None, console), grid, lock, console)
        build(Study(study))
    return Study(study), findings, done


def _grid(request: Request, stages: Sequence[Mapping[str, Any]] = (), explainers: Sequence[Mapping[str, Any]] = ()) -> Grid:
    """Writes the grid file and reads it back.

    Args:
        stages: besides those of the worst pairs.
    """
    protocols: list[Any] = [_protocol(one) for one in request.protocols]
    try:
        data = protocols[0].dataset().model_dump(mode="json")
    except ValueError as error:
        raise BadInput(f"--on: {' '.join(str(error).split())}") from error
    tree = {
        "name": "judge",
        "base": {"data": data, "recipe": "none", "compute": {"threads": request.threads}},
        "axes": {AXIS: {one.title: one.settings() for one in request.networks}},
        "protocols": request.protocols,
        "stages": [*worst_pairs(protocols), *stages],
        "explainers": list(explainers),
        "launch": {"executor": "local", "study": str(request.to.absolute()), "detect_images": SHARD}
        | ({"store": request.store} if request.store else {}),
    }
    request.to.mkdir(parents=True, exist_ok=True)
    path = request.to / GRID
    path.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return read(path)


def _protocol(settings: Any) -> Any:
    """The protocol that was asked for.

    Raises:
        BadInput: it is none.
    """
    try:
        return resolve("protocol", settings)
    except ValidationError as error:
        found = f"{settings['name']}: {complaint(error, lookup('protocol', settings['name']))}"
        raise BadInput(f"--on {found}") from error
    except ValueError as error:
        raise BadInput(f"--on: {' '.join(str(error).split())}") from error


def _explaining(
    request: Request, networks: tuple[Judged, ...], stages: Sequence[Mapping[str, Any]], study: Study, console: Console
) -> Grid:
    """The grid with explanations of the worst pairs; without any, and a line why, if there is no network or no pair."""
    found: list[dict[str, Any]] = []
    if any("pretraining" in one.fixed and one.fixed["backbone"]["name"] in ("stored", "scored") for one in networks):
        console.print("no explanations: stored embeddings and scores have no network")
    elif not (found := explainers(study, request.explained)):
        console.print("no explanations: no protocol has pairs of images")
    return _grid(replace(request, networks=networks), stages, found)


def _run(plan: Plan, grid: Grid, lock: Lock, console: Console) -> bool:
    """Writes the study's record and runs the open stages of a plan in this process; returns whether none failed."""
    write_plan(plan, grid)
    ledger = Ledger(store_of(grid))
    void_changed(plan, ledger)
    queue = whole_queue(plan)
    if queue.waiting:
        with Display(queue, console, len(plan.cells), 0) as display:
            LocalExecutor(grid.spec.launch).run(Session(queue, ledger, display.watch, display.ended, lock.check, display.say))
    for why in queue.failed.values():
        console.print(styled("[red]failed[/] {}", why))
    return not queue.failed


def _findings(request: Request, resolver: InputResolver, console: Console) -> dict[str, list[Finding]]:
    """What the usual preprocessing gives on a few images, by title; nothing for exported networks and stored embeddings."""
    found: dict[str, list[Finding]] = {one.title: [] for one in request.networks}
    guessed = [(one, one.preprocessing) for one in request.networks if one.preprocessing is not None]
    if not guessed:
        return found
    protocol: Any = resolve("protocol", request.protocols[0])
    with fresh_process_state({}):
        import torch

        torch.set_num_threads(request.threads)
        try:
            sample = Sample(protocol, resolver)  # one for all networks: its faces are detected once
        except (ValueError, Blocked) as error:
            raise BadInput(str(error)) from error
        for one, start in guessed:
            console.print(f"{one.title}: trying the usual preprocessing on a few images")
            found[one.title] = _tried(one, start, request.stated, sample)
    return found


def _tried(one: Judged, start: Preprocessing, stated: frozenset[str], sample: Sample) -> list[Finding]:
    """What the usual preprocessing gives for a network, see ``survey``."""
    import torch

    from datamodules.tensors import tensors

    settings = one.settings()
    fixed = {"faces"} if "faces" not in stated and start.faces == "none" else set()  # aligned images stay whole
    fixed |= {"size"} if len(one.sizes) < 2 else set()
    known = {"faces": [name for name in FACES if name != "listed" or sample.listed], "size": one.sizes}
    crops: dict[tuple[str, tuple[int, int]], Any] = {}
    built: dict[str, Any] = {}

    def score(how: Preprocessing) -> np.ndarray:
        form = (how.faces, how.size)
        if form not in crops:
            crops[form] = tensors(sample.crops(*form), "cpu")
        config: Any = resolve("backbone", {**settings["backbone"], **how.of_network()})
        network = built.setdefault("network", config.build().eval())
        network.embedding.config = config
        with torch.inference_mode():
            embedded = torch.cat([network(images)[:, :, 0, 0] for images in crops[form].split(BATCH)])
        vectors = unit(embedded.double()).numpy()
        cosines: np.ndarray = vectors @ vectors.T
        return cosines

    try:
        return survey(start, sample.subjects, score, known, [part for part in PARTS if part not in fixed], stated)[1]
    except ValueError as error:
        raise BadInput(f"{one.path}: {error}" if str(one.path) not in str(error) else str(error)) from error


def _better(one: Judged, findings: Sequence[Finding], stated: frozenset[str]) -> Judged:
    """The network with the clearly better choices, except for the parts that the user stated."""
    if one.preprocessing is None:
        return one
    chosen = one.preprocessing
    for finding in findings:
        if finding.wrong and finding.part not in stated:
            known = {"faces": tuple(FACES), "size": one.sizes}.get(finding.part, ())
            others = chosen.others(finding.part, known)
            chosen = next(other for other in others if other.choice(finding.part) == finding.best)
    return replace(one, preprocessing=chosen, size=chosen.size)
