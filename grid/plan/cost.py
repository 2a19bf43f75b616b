"""The cost of a plan, computed without running it: parameters, forward FLOPs, images seen and disk space."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from configs.lookup import nearest
from configs.network_interfaces import RecipeConfig
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import Plan, uncollected
from grid.spec.cell import Cell
from grid.spec.grid_file import BadInput
from grid.spec.levels import REPLICATE, other_levels
from grid.spec.search import Search
from grid.spec.stage_kind import TRAIN
from grid.spec.stage_name import PRETRAIN, SEARCH, StageName
from grid.spec.training import Training
from modules.model_complexity import count
from modules.shape_inference import on_meta, stage_shapes
from modules.targets import objective
from modules.training import freezing
from modules.training.recipe import Recipe
from modules.training.single_image import check_single_image


@uncollected()
def cost(plan: Plan, resolver: InputResolver) -> dict[str, Any]:
    """Per cell: ``parameters``, ``flops`` per forward pass of one image, maximum ``training_flops``, ``disk_bytes``; totals;
    under sequential replication, those of all replicates that may follow, as ``most``.

    Disk space, in bytes, covers two checkpoints (weights and optimizer state) and the kept weights of each training, float32.
    The head of a cell with a search is not known yet: each of its numbers is the largest of all trials. The totals include the
    trials, and each training that only gives initial weights.

    Raises:
        BadInput: a network cannot take the cell's input size, or has no spatial feature map; no network of the grid has the
            stage that an explainer names.
    """
    cells: dict[str, dict[str, Any]] = {}
    trainings: dict[str, dict[str, Any]] = {}
    networks: dict[tuple[Any, ...], Any] = {}
    for planned in plan.cells:
        cell = planned.cell
        if cell is None:
            continue
        found = _largest(cell, resolver, planned.title, plan, networks)
        if planned.id is not None:
            cells[planned.id] = found
            trainings[planned.stages[TRAIN]] = found
            if cell.search is not None:
                trainings[planned.stages[SEARCH]] = _of_search(found, cell.search, cell.recipe.epochs)
            if (source := cell.source()) is not None and (pretraining := planned.stages[StageName(PRETRAIN)]) not in trainings:
                trainings[pretraining] = _of(source, resolver, planned.title, plan, {})
    _check_layers(plan)
    total = {
        "training_flops": sum(found["training_flops"] or 0 for found in trainings.values()),
        "disk_bytes": sum(found["disk_bytes"] for found in trainings.values()),
    }
    most = {"most": _most(plan, cells, total)} if plan.grid.spec.sequential else {}
    return {"cells": cells, **total, **most}


def _most(plan: Plan, cells: dict[str, dict[str, Any]], total: dict[str, int]) -> dict[str, int]:
    """The total if all replicates ran that results may ask for."""
    found = dict(total)
    for planned in plan.cells:
        here = plan.grid.replicates(list(other_levels(planned.levels).values()))
        if planned.id is None or here.final or planned.levels[REPLICATE] != "0":
            continue
        for key in found:
            found[key] += (plan.grid.spec.most_replicates - here.count) * (cells[planned.id][key] or 0)
    return found


def _check_layers(plan: Plan) -> None:
    """Raises BadInput for a network stage that no network of the grid has, which is a misspelling.

    A stage that only some networks have is refused in the cells that lack it.
    """
    asked = {
        (explainer.title, layer)
        for planned in plan.cells
        if planned.cell is not None
        for explainer in planned.cell.explainers
        if isinstance(layer := getattr(explainer, "layer", None), str)
    }
    if not asked:
        return
    known: set[str] = set()
    for point in plan.grid.combinations():  # including those that this plan leaves out
        if point.cell is not None:
            known |= set(stage_shapes(point.cell.backbone, point.cell.input.pixels))
    for title, layer in sorted(asked):
        if layer not in known:
            raise BadInput(
                f"{plan.grid.yaml_source.path}: explainer {title}: layer {layer!r} is a stage of no network of this grid"
                f"{nearest(layer, known)}"
            )


def _check(cell: Training, subjects: int | None) -> None:
    """Raises ValueError if parts of a training, or of its source training, are incompatible; ``count`` checks the rest."""
    source = cell.source() if isinstance(cell, Cell) else None
    trainings = [cell] if source is None else [cell, source]
    for training in trainings:
        _check_recipe(training.recipe)
        training.check_devices()
    if cell.recipe.trains:
        cell.batches.check(cell.recipe.part_size, subjects)
    for training in trainings:
        devices = training.compute.devices if training.compute.batch_norm == "local" else 1
        if training.classifies and training.recipe.part_size // devices == 1:
            check_single_image(training.backbone, training.head, training.input.pixels, training.recipe.learning_part)
    freezing.check(on_meta(cell.backbone), cell.recipe.learning_part)
    if not cell.pretraining.missing(cell.backbone):
        cell.pretraining.check_head(cell.backbone, cell.head, cell.input.pixels)


def _check_recipe(recipe: RecipeConfig) -> None:
    """Raises ValueError if a training would lack fields of the recipe."""
    if recipe.trains and not isinstance(recipe, Recipe):
        raise ValueError(
            f"recipe {recipe.name}: {type(recipe).__name__} must derive from modules.training.recipe.Recipe, whose fields a "
            "training reads"
        )


def _largest(
    cell: Cell, resolver: InputResolver, title: str, plan: Plan, networks: dict[tuple[Any, ...], Any]
) -> dict[str, Any]:
    """The cost of a cell; with a search, the largest numbers of all heads that may be chosen."""
    if cell.search is None:
        return _of(cell, resolver, title, plan, networks)
    several = [cell.model_copy(update={"head": head}) for head in cell.search.heads(cell.head)]
    found = [_of(one, resolver, title, plan, networks) for one in several]
    return {key: max((one[key] for one in found if one[key] is not None), default=None) for key in found[0]}


def _of_search(cell: dict[str, Any], search: Search, epochs: int) -> dict[str, Any]:
    """The cost of all trials of a search, at most; ``epochs`` are those of the cell whose cost is given."""
    steps = [after - before for before, after in pairwise((0, *search.rungs))]
    trained = sum(count * step for count, step in zip(search.trainings, steps, strict=True))
    flops, kept = cell["training_flops"], 4 * cell["parameters"]  # a trial keeps its checkpoints, but no weights besides
    return {
        "training_flops": None if flops is None else round(flops / epochs * trained),
        "disk_bytes": sum(search.trainings) * (cell["disk_bytes"] - kept),
    }


def _of(
    cell: Training, resolver: InputResolver, title: str, plan: Plan, networks: dict[tuple[Any, ...], Any]
) -> dict[str, Any]:
    """The cost of a training; ``networks`` are those counted before, by their parts, which must live on."""
    try:
        manifest = resolver.manifest(cell.data)
        subjects, images = resolver.subjects(cell.data), len(manifest.keys)
        classes: int | dict[str, int] = resolver.target_classes(cell) if cell.targets else subjects
    except Blocked:
        subjects, images = 2, 0  # not known yet: parameters of backbone and head do not depend on them
        classes = dict.fromkeys(cell.targets, 2) if cell.targets else subjects
    parts = (cell.backbone, cell.head, cell.loss, cell.pretraining, cell.reconstruction, cell.batches)
    recipe = (type(cell.recipe), cell.recipe.learning_part, cell.recipe.part_size)
    others = (str(cell.targets), subjects, str(classes), cell.input.pixels, cell.compute.devices, *recipe)
    key = (*map(id, parts), *others)  # ids are safe as keys: the plan keeps these objects alive
    if key not in networks:
        try:
            _check(cell, subjects if images else None)
            decoder = cell.reconstruction.decoder if cell.reconstruction else None
            networks[key] = count(cell.backbone, cell.head, objective(cell), classes, cell.input.pixels, decoder)
        except ValueError as error:
            raise BadInput(f"{plan.grid.yaml_source.path}: cell {title}: {error}") from error
    counted = networks[key]
    state = 1 + cell.recipe.optimizer_copies
    seen = images * (1 - cell.split.fraction) * cell.split.share * cell.recipe.epochs
    return {
        "parameters": counted.parameters,
        "flops": counted.flops,
        "training_flops": round(3 * counted.flops * seen) if images else None,  # a backward pass costs two forward passes
        "disk_bytes": 4 * (counted.parameters * (2 * state + 1) + counted.decoder_parameters * 7),  # Adam: 3 tensors each
    }
