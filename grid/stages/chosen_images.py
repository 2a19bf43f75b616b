"""Images that explainers name by key: all are there, and those explained for their class have one."""

from __future__ import annotations

from collections.abc import Sequence

from grid.plan.plan import RUN, Plan
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EXPLAIN
from grid.spec.training import IDENTITY, Training
from grid.stages.labels import Labels, labels_of
from grid.stages.probes import rows_named
from modules.targets import objective

TRAINED = "the training data"


def check_chosen(plan: Plan, options: bool = False) -> None:
    """Rejects keys that match no image, or an image without a class, before anything runs.

    Args:
        options: messages name the options of the command line that gave the keys; else the explainer of the grid file.

    Raises:
        BadInput: names the key and images that can be chosen.
    """
    seen: set[str] = set()
    for stage in plan.stages:
        if stage.stage != EXPLAIN or (stage.state != RUN and not options) or not stage.node.config["explainer"].chosen:
            continue
        explainer, protocol = stage.node.config["explainer"], stage.node.config.get("protocol")
        training: Training = stage.node.config["training"]
        data = training.data if protocol is None else plan.resolver.dataset(protocol)
        asked = repr((explainer.chosen, data, protocol is None and (training.split, training.targets, training.loss)))
        if asked in seen:
            continue  # cells that differ in other settings
        seen.add(asked)
        manifest = plan.resolver.manifest(data)
        try:
            rows_named(manifest.keys, explainer.chosen, TRAINED if protocol is None else f"protocol {protocol.title}")
            if protocol is None:
                check_classes(manifest.keys, explainer.chosen, labels_of(manifest, training), training)
        except ValueError as error:
            option = "--images" if protocol is None else "--pairs"
            place = option if options else f"{plan.grid.yaml_source.path}: explainers: {explainer.title}: chosen"
            raise BadInput(f"{place}: {error}") from error


def check_classes(keys: Sequence[str], chosen: Sequence[str], labels: Labels, training: Training) -> None:
    """Checks that the images ``chosen`` have a class that the network can be asked about; any do if it has no classes.

    Raises:
        ValueError: names an image without one, and another with one.
    """
    loss = objective(training)
    if not labels.names or not loss.classifies:
        return
    known = (labels.primary >= 0) & (labels.primary < len(labels.names))
    for key, row in zip(chosen, rows_named(keys, chosen, TRAINED), strict=True):
        if not known[row]:
            primary = getattr(loss, "primary", IDENTITY)
            why = "its subject is held out (split.by: identities)" if primary == IDENTITY else f"its {primary} is unknown"
            raise ValueError(
                f"{TRAINED}: image {key!r} has no class to explain: {why}; {int(known.sum())} of {len(keys)} images "
                f"have one, such as {keys[int(known.argmax())]!r}"
            )
