"""Reads and resolves a grid file: YAML and overrides to typed cells. Every error names file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from configs.component import Config
from configs.lookup import nearest, shortened
from grid.secrets import masked
from grid.spec.bounded_yaml import MAX_DEPTH, load_yaml
from grid.spec.cell import Cell
from grid.spec.config_errors import KeyOrigins, explain
from grid.spec.design import Design
from grid.spec.ensemble import Ensemble
from grid.spec.launch_settings import Launch
from grid.spec.levels import REPLICATE, cell_title
from grid.spec.references import References
from grid.spec.replication import Granted, Replicates, Replication
from grid.spec.skip import Skip
from grid.spec.source import Source
from grid.spec.sweeps import expanded
from grid.spec.yaml_source import YamlSource, clash, deep_set, overlaps, read_yaml

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
MAX_CELLS = 100_000  # combinations, before skip rules
LISTS = ("protocols", "explainers", "stages")  # requested of every cell besides its training
CHANGEABLE = "the base, design, launch, replicates, replicate_scope, or an item such as protocols.0, explainers.0 or stages.0"


class BadInput(ValueError):
    """An error in the user's input or environment; one line."""


class Spec(Config):
    """A parsed grid file: levels are still dotted keys, cells are not resolved yet."""

    name: str
    base: dict[str, Any]
    axes: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    design: Design = Design()
    births: dict[str, str] = Field(default_factory=dict)  # axis -> the level that cells had before the axis existed
    replicates: Replicates = 1
    replicate_scope: tuple[Literal["pretrain", "train"], ...] = ("train",)
    skip: tuple[Skip, ...] = ()
    protocols: tuple[Any, ...] = ()  # each written like a component: a name, or a mapping with a name
    explainers: tuple[Any, ...] = ()
    stages: tuple[Any, ...] = ()  # user-defined kinds of stages
    ensembles: tuple[Ensemble, ...] = ()  # used only by the report: they change no cell
    sources: tuple[Source, ...] = ()  # publications, shown with the results: they change no cell
    launch: Launch = Launch()

    @property
    def sequential(self) -> Replication | None:
        """The rule that adds replicates; None if their number is fixed."""
        return self.replicates if isinstance(self.replicates, Replication) else None

    @property
    def most_replicates(self) -> int:
        """Of any cell."""
        return self.replicates if isinstance(self.replicates, int) else self.replicates.at_most

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no folder name: use letters, digits, '_', '-' and '.'")
        return value


@dataclass(frozen=True)
class Combination:
    """One point of the grid before identities: its levels, and its cell or the reason for skipping it."""

    levels: Mapping[str, str]
    cell: Cell | None
    skipped: str | None = None


@dataclass(frozen=True)
class Grid:
    """A spec with its source document, so that errors can name lines.

    Attributes:
        overrides: dotted key -> the override as shown in messages.
        granted: with sequential replication, what the results so far allow each combination of levels (in the order of the
            axes); those that are not in it have the first replicates.
    """

    spec: Spec
    yaml_source: YamlSource
    overrides: Mapping[str, str] = field(default_factory=dict)
    granted: Mapping[tuple[str, ...], Granted] = field(default_factory=dict)

    @property
    def factors(self) -> dict[str, tuple[str, ...]]:
        """The axes of the file with their levels."""
        return {axis: tuple(levels) for axis, levels in self.spec.axes.items()}

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Every factor with its levels, including replicates if there are several."""
        found = self.factors
        if self.spec.most_replicates > 1:
            found[REPLICATE] = tuple(str(number) for number in range(self.spec.most_replicates))
        return found

    @cached_property
    def protocols(self) -> list[tuple[Any, int]]:
        """The protocols with sweeps expanded, each with its position in the file."""
        return expanded(self.spec.protocols, self.refusal)

    def refusal(self, key: str, text: str) -> BadInput:
        """The error about a key of the file or of an override."""
        return _refusal(KeyOrigins(self.yaml_source, self.overrides))(key, text)

    @property
    def size(self) -> int:
        """The number of combinations."""
        if self.spec.sequential:
            return sum(self.replicates(chosen).count for chosen in self.spec.design.combinations(self.factors))
        return self.largest

    @property
    def largest(self) -> int:
        """The number of combinations if each has all its replicates."""
        return self.spec.design.size(self.factors) * self.spec.most_replicates

    def replicates(self, chosen: Sequence[str]) -> Granted:
        """The replicates of a combination of levels, in the order of the axes."""
        rule = self.spec.sequential
        if rule is None:
            return Granted(self.spec.most_replicates, True)
        return self.granted.get(tuple(chosen), Granted(rule.at_least, False))

    def combinations(self) -> Iterator[Combination]:
        """Every combination in file order, resolved."""
        for levels, reason, settings in self.written():
            yield Combination(levels, None, reason) if settings is None else Combination(levels, _cell(*settings))

    def written(self) -> Iterator[tuple[dict[str, str], str | None, tuple[dict[str, Any], KeyOrigins] | None]]:
        """Every combination in file order: its levels, why it is skipped, or else its settings and where they were written."""
        refers = "${" in repr((self.spec.base, self.spec.axes, *(getattr(self.spec, part) for part in LISTS)))
        for chosen in self.spec.design.combinations(self.factors):
            for number in range(self.replicates(chosen).count):
                levels = dict(zip(self.spec.axes, chosen, strict=True))
                if self.spec.most_replicates > 1:
                    levels[REPLICATE] = str(number)
                reasons = [rule.because for rule in self.spec.skip if rule.applies(levels)]
                yield (levels, reasons[0], None) if reasons else (levels, None, self._settings(levels, refers))

    def _settings(self, levels: Mapping[str, str], refers: bool) -> tuple[dict[str, Any], KeyOrigins]:
        spec = self.spec
        settings = [
            (key, value, f"axes.{axis}.{level}.{key}")
            for axis, level in levels.items()
            if axis != REPLICATE
            for key, value in spec.axes[axis][level].items()
        ]
        tree: dict[str, Any] = dict(spec.base)
        origins: dict[str, str] = {}
        # a component is selected before its keys are set, regardless of their order in the file
        for key, value, origin in sorted(settings, key=lambda item: (item[0].count(".") - item[0].endswith(".name"), item[0])):
            tree = deep_set(tree, key, value, partial(self.refusal, origin))
            origins[key] = origin
        if REPLICATE in levels:
            number = int(levels[REPLICATE])
            fields = {"train": "seed", "pretrain": "pretrain_seed"}
            for key in (fields[scope] for scope in spec.replicate_scope):
                first = tree.get(key, 0)
                tree[key] = first + number if isinstance(first, int) else first  # other values are rejected below
        tree = {**tree, **{part: list(getattr(spec, part)) for part in LISTS}}
        tree["protocols"] = [protocol for protocol, _ in self.protocols]
        if len(self.protocols) > len(spec.protocols):  # a sweep moved the protocols after it
            origins |= {f"protocols.{place}": f"protocols.{origin}" for place, (_, origin) in enumerate(self.protocols)}
        where = KeyOrigins(self.yaml_source, self.overrides, origins, cell_title(levels) if levels else "")
        return (References(tree, _refusal(where)).replace(tree) if refers else tree), where


def _cell(settings: dict[str, Any], where: KeyOrigins) -> Cell:
    try:
        return Cell.model_validate(settings)
    except ValidationError as error:
        raise BadInput(explain(error, where, Cell, settings)) from error


def read(path: Path, overrides: Sequence[str] = ()) -> Grid:
    """Reads a grid file and applies ``key.path=value`` overrides.

    Raises:
        BadInput: names file, line, key, what was found and what is known.
    """
    yaml_source = read_yaml(path, BadInput)
    raw = yaml_source.value
    if not isinstance(raw, dict):
        found = "nothing" if raw is None else f"a {type(raw).__name__}"
        raise BadInput(f"{path}: a grid file is a mapping with name, base and axes; found {found}")
    known = set(Spec.model_fields)
    for key in raw:
        if key not in known:
            raise BadInput(f"{yaml_source.at(str(key))}: unknown key {shortened(key)}{nearest(str(key), known)}")
    _check_axes(raw, yaml_source)
    said = {}
    for override in overrides:
        raw = _override(raw, override, yaml_source)
        said[override.partition("=")[0]] = masked(override)
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        raise BadInput(explain(error, KeyOrigins(yaml_source, said), Spec, raw)) from error
    grid = Grid(spec, yaml_source, said)
    _check_size(grid)
    _check_rules(grid)
    _ = grid.protocols  # refuses an invalid sweep
    return grid


def _check_axes(raw: Mapping[str, Any], yaml_source: YamlSource) -> None:
    axes = raw.get("axes") or {}
    if not isinstance(axes, dict):
        raise BadInput(f"{yaml_source.at('axes')}: axes map a name to levels; found {shortened(axes)}")
    for axis, levels in axes.items():
        if axis == REPLICATE:
            raise BadInput(
                f"{yaml_source.at('axes.replicate')}: 'replicate' is what `replicates` adds; name the axis otherwise"
            )
        if isinstance(levels, (list, str)) and levels:
            raise BadInput(
                f"{yaml_source.at(f'axes.{axis}')}: axis {shortened(axis)} maps level names to settings, such as "
                f"{{small: {{backbone.name: alexnet}}}}; found {shortened(levels)}"
            )
        if not isinstance(levels, dict) or not levels:
            raise BadInput(
                f"{yaml_source.at(f'axes.{axis}')}: axis {shortened(axis)} has no levels; give it levels or remove it"
            )
        if not isinstance(axis, str):
            raise BadInput(f"{yaml_source.at('axes')}: YAML reads axis {shortened(axis)} as a value; quote it")
        for level, settings in levels.items():
            at = yaml_source.at(f"axes.{axis}.{level}")
            if not isinstance(level, str):
                raise BadInput(f"{at}: YAML reads level {shortened(level)} as a value; quote it")
            if not isinstance(settings, dict):
                raise BadInput(f"{at}: a level maps dotted keys to values (or is {{}}); found {shortened(settings)}")
            for key in settings:
                at = yaml_source.at(f"axes.{axis}.{level}.{key}")
                if not isinstance(key, str):
                    raise BadInput(f"{at}: a level maps dotted keys to values; found the key {shortened(key)}")
                if key.count(".") >= MAX_DEPTH:
                    raise BadInput(f"{at}: key {shortened(key)} has more than {MAX_DEPTH} parts")
                if key.split(".")[0] in (*LISTS, "launch"):
                    raise BadInput(f"{at}: {shortened(key)} is the same for all cells; no level may set it")
            if found := clash([(key, key, value) for key, value in settings.items()]):
                one, other = (list(settings)[place] for place in found)
                raise BadInput(
                    f"{yaml_source.at(f'axes.{axis}.{level}.{other}')}: a level sets {shortened(one)} and {shortened(other)}, "
                    "of which one overwrites the other; leave one out"
                )
    _check_clashes(axes, yaml_source)


def _check_clashes(axes: Mapping[str, Any], yaml_source: YamlSource) -> None:
    """Refuses two axes of which one would have no effect in some cells."""
    written = [
        (axis, level, key, value)
        for axis, levels in axes.items()
        for level, settings in levels.items()
        for key, value in settings.items()
    ]
    if found := clash([(axis, key, value) for axis, _, key, value in written]):
        (one, _, first, _), (other, level, second, _) = (written[place] for place in found)
        both = f"{yaml_source.at(f'axes.{other}.{level}.{second}')}: axes {shortened(one)} and {shortened(other)}"
        if first == second:
            raise BadInput(f"{both} both set {shortened(first)}; which would win depends on their order")
        raise BadInput(
            f"{both} set {shortened(first)} and {shortened(second)}, of which one overwrites the other; let one axis set both"
        )


def _check_size(grid: Grid) -> None:
    """Checks the design and the number of combinations before resolving any."""
    try:
        grid.spec.design.check(grid.factors)
    except ValueError as error:
        raise grid.refusal("design", str(error)) from error
    sizes = {axis: len(levels) for axis, levels in grid.spec.axes.items()}
    if grid.spec.most_replicates > 1:
        sizes["replicates"] = grid.spec.most_replicates
    number = grid.largest
    if number > MAX_CELLS:
        largest = max(sizes, key=lambda axis: sizes[axis])
        at = grid.yaml_source.at(f"axes.{largest}", "axes")
        if largest == "replicates":
            at = KeyOrigins(grid.yaml_source, grid.overrides).at(largest)
        shown = " x ".join(f"{axis} {size:,}" for axis, size in sorted(sizes.items(), key=lambda item: -item[1])[:5])
        raise BadInput(
            f"{at}: {number:,} combinations ({shown}); at most {MAX_CELLS:,} are planned; remove levels or split the grid"
        )


def _check_rules(grid: Grid) -> None:
    axes, yaml_source = grid.axes, grid.yaml_source
    if rule := grid.spec.sequential:
        for key, text in rule.complaints(grid.spec.protocols, grid.spec.skip, grid.spec.ensembles, REPLICATE):
            raise grid.refusal(key, text)
    for number, skip in enumerate(grid.spec.skip):
        for axis, levels in skip.when.items():
            for level in levels:
                check_level(axis, level, axes, f"{yaml_source.at(f'skip.{number}')}: skip rule")
    for axis, level in grid.spec.births.items():
        check_level(axis, level, axes, f"{yaml_source.at(f'births.{axis}')}: birth level")
    for number, ensemble in enumerate(grid.spec.ensembles):
        where = f"{yaml_source.at(f'ensembles.{number}')}: ensemble"
        if ensemble.over not in axes:
            raise BadInput(f"{where}: unknown axis {ensemble.over!r}{nearest(ensemble.over, axes)}")
        levels = axes[ensemble.over] if ensemble.levels is None else ensemble.levels
        for level in levels:
            check_level(ensemble.over, level, axes, where)
        if len(set(levels)) < 2:
            raise BadInput(f"{where}: over {ensemble.over!r} it would have {len(set(levels))} member; an ensemble needs two")
        if not grid.spec.design.crosses(ensemble.over, levels, grid.factors):
            raise BadInput(
                f"{where}: in design {grid.spec.design.name} no cells differ in {ensemble.over!r} alone; use design: product"
            )


def check_level(axis: str, level: str, axes: Mapping[str, Sequence[str]], where: str) -> None:
    """Raises BadInput for an unknown axis or level."""
    if axis not in axes:
        raise BadInput(f"{where}: unknown axis {shortened(axis)}{nearest(axis, axes)}")
    if level not in axes[axis]:
        raise BadInput(f"{where}: axis {shortened(axis)} has no level {shortened(level)}{nearest(level, axes[axis])}")


def _refusal(where: KeyOrigins) -> Callable[[str, str], BadInput]:
    """Makes the error about a key, from the key and the message."""
    return lambda key, text: BadInput(f"{where.at(key)}: {key}: {text}")


def _override(raw: Mapping[str, Any], override: str, yaml_source: YamlSource) -> dict[str, Any]:
    key, sign, text = override.partition("=")
    said = shortened(masked(override))
    if not sign or not key:
        raise BadInput(f"override {said}: write key.path=value, such as recipe.epochs=4")
    if key.count(".") >= MAX_DEPTH:
        raise BadInput(f"override {said}: the key has more than {MAX_DEPTH} parts")
    value = load_yaml(text, lambda _, what: BadInput(f"override {said}: {what}"))[0]
    head = key.split(".")[0]
    if head in ("design", "launch", "replicates", "replicate_scope", *LISTS):
        changed: dict[str, Any] = deep_set(raw, key, value, lambda text: BadInput(f"override {said}: {text}"))
        return changed
    if head in ("axes", "name", "skip", "births", "base"):
        raise BadInput(f"override {said}: overrides change {CHANGEABLE}; {head!r} belongs in the file")
    for axis, levels in (raw.get("axes") or {}).items():
        for level, settings in levels.items():
            for taken in settings:
                if overlaps(key, taken):
                    raise BadInput(
                        f"override {said}: axis {shortened(axis)} sets {taken!r} (level {shortened(level)}); "
                        f"choose levels with --where {axis}=... or change the file"
                    )
    base = deep_set(raw.get("base") or {}, key, value, lambda text: BadInput(f"override {said}: {text}"))
    return {**raw, "base": base}
