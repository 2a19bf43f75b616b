"""Looks up what a plan must know about its inputs: images, pairs, weights. Each is looked up once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from configs.component import Config, canonical
from configs.data_interfaces import Column, DatasetConfig, Manifest, Pairs, Progress, ProtocolConfig
from configs.lookup import resolve
from configs.network_interfaces import PretrainingConfig, TrainedPretrainingConfig
from datamodules.conflicts import conflicts, described, without
from datamodules.families import families
from datamodules.manifest import enough
from datamodules.shared_subjects import shared_subjects
from datamodules.split import held_identities, held_images
from grid.evaluation.task import evaluation_task
from grid.ledger.store import open_store
from grid.ledger.store_interface import Store
from grid.plan.overlap import free_pairs, pairs_digest
from grid.plan.returned import calling, checked_columns, checked_input, checked_pairs
from grid.plan.scans import Scans
from grid.plan.target_columns import check_evaluated, check_official, check_validation, learned_columns
from grid.spec.cell import ID_LENGTH, Cell
from grid.spec.training import IDENTITY, Training

Found = TypeVar("Found")


class Blocked(Exception):
    """A cell cannot be fully planned yet: an input is absent or was never read."""

    def __init__(self, message: str, unread: DatasetConfig | None = None) -> None:
        super().__init__(message)
        self.unread = unread  # the dataset that must be scanned


class InputResolver:
    """Implements ``grid.spec.cell.Facts``; answers are cached by config."""

    def __init__(self, store: Store | Path | str) -> None:
        self.store = open_store(store)
        self._scans = Scans(self.store)
        self.unread: dict[str, DatasetConfig] = {}  # datasets that a launch must scan first
        self.unseen: dict[str, DatasetConfig] = {}  # datasets whose images a launch must hash for comparison
        self._known: dict[Any, Any] = {}
        self._keys: dict[int, tuple[Config, str]] = {}  # by object id; keeps the objects alive, so that ids are not reused

    def _key(self, config: Config) -> str:
        """The content of a config as text: equal configs share their answers, even if they are different objects."""
        if id(config) not in self._keys:
            kind = type(config)
            text = f"{kind.__module__}.{kind.__qualname__} {canonical(config.model_dump(mode='json'))}"
            self._keys[id(config)] = (config, text)
        return self._keys[id(config)][1]

    def _once(self, key: tuple[Any, ...], find: Callable[[], Found]) -> Found:
        if key not in self._known:
            try:
                self._known[key] = (True, _readable(find))
            except (Blocked, ValueError) as error:
                self._known[key] = (False, error)
        good, found = self._known[key]
        if not good:
            raise found
        value: Found = found
        return value

    def manifest(self, data: DatasetConfig) -> Manifest:
        """The dataset's manifest; raises Blocked if the data is absent or was never read."""
        return self._once(("manifest", self._key(data)), lambda: self._manifest(data))

    def _manifest(self, data: DatasetConfig) -> Manifest:
        with calling("dataset", data.name):
            missing = data.missing()
            found = None if missing else self._scans.read(lambda: data.manifest(self._scans.folder))
        if missing:
            raise Blocked(str(missing))
        if found is None:
            self.unread[canonical(data.model_dump(mode="json"))] = data
            raise Blocked(f"the images of {data.name} were never read: ids are pending; launch reads them once", data)
        if data.on_identity_conflict == "skip" and (same := conflicts(found)):
            found = enough(without(found, same), data.least_images())
        if not found.keys:
            raise ValueError(f"the dataset {data.name} has no images that fit its settings")
        return found

    def scan(self, data: DatasetConfig, progress: Progress | None = None) -> None:
        """Reads a dataset's images; clears the cached answers."""

        def scanned() -> None:
            with calling("dataset", data.name):
                data.scan(self._scans.folder, progress)

        _readable(scanned)
        self._scans.push()
        self._forget()

    def look(self, data: DatasetConfig, progress: Progress | None = None) -> None:
        """Hashes a dataset's images; clears the cached answers."""
        from datamodules.near_duplicates import prints

        manifest = self.manifest(data)
        _readable(lambda: prints(data.build(manifest), progress).save(self._prints(manifest)))
        self._scans.push()
        self._forget()

    def _forget(self) -> None:
        self.unread.clear()
        self.unseen.clear()
        self._known.clear()

    def _prints(self, manifest: Manifest) -> Path:
        return self._scans.folder / f"prints2-{manifest.digest[:ID_LENGTH]}.npz"

    def prints(self, data: DatasetConfig) -> Any:
        """``datamodules.near_duplicates.Prints`` of the dataset's images; raises Blocked if they were not hashed yet."""
        return self._once(("prints", self._key(data)), lambda: self._look_up(data))

    def families(self, data: DatasetConfig, bits: int) -> np.ndarray:
        """The family of each image, see ``datamodules.families``; raises Blocked if the images were not hashed yet."""
        from datamodules.near_duplicates import near

        key, prints = ("families", self._key(data), bits), self.prints(data)
        return self._once(key, lambda: families(self.manifest(data).identities, near(prints, prints, bits)[0]))

    def _look_up(self, data: DatasetConfig) -> Any:
        from datamodules.near_duplicates import Prints

        path = self._prints(self.manifest(data))
        found = self._scans.read(lambda: Prints.load(path))
        if found is None:
            self.unseen[canonical(data.model_dump(mode="json"))] = data
            raise Blocked(f"the images of {data.name} were never compared: launch looks at them once", data)
        return found

    def dataset(self, protocol: ProtocolConfig) -> DatasetConfig:
        return self._once(("dataset", self._key(protocol)), lambda: _dataset(protocol))

    def images(self, data: DatasetConfig) -> str:
        return self.manifest(data).digest

    def labels(self, data: DatasetConfig) -> dict[str, str]:
        return {name: column.digest for name, column in self._known_columns(data).items()}

    def label_classes(self, data: DatasetConfig) -> dict[str, tuple[str, ...] | None]:
        return {name: column.classes for name, column in self._known_columns(data).items()}

    def columns(self, training: Training) -> dict[str, str]:
        return {name: column.digest for name, column in self._columns(training).items()}

    def target_classes(self, training: Training) -> dict[str, int]:
        """The number of classes of each target; 0 for numeric targets."""
        found = {name: len(column.classes or ()) for name, column in self._columns(training).items()}
        return found | ({IDENTITY: self.subjects(training.data)} if IDENTITY in training.targets else {})

    def _columns(self, training: Training) -> dict[str, Column]:
        """The labels of the training's targets, except the identity; errors as ``learned_columns``."""
        known = self._known_columns(training.data)
        return self._once(("learned", *self._targets_key(training)), lambda: learned_columns(training, known))

    def _known_columns(self, data: DatasetConfig) -> Mapping[str, Column]:
        """The columns of a dataset."""
        return self._once(("columns", self._key(data)), lambda: checked_columns(data, self.manifest(data)))

    def _targets_key(self, training: Training) -> tuple[str, str]:
        own = {name: target.identity() for name, target in training.targets.items()}
        return self._key(training.data), canonical([own, training.loss.identity()])

    def subjects(self, data: DatasetConfig) -> int:
        """The number of subjects in the dataset."""
        return self._once(("subjects", self._key(data)), lambda: len(set(self.manifest(data).identities)))

    def weights(self, pretraining: PretrainingConfig, cell: Training) -> str | None:
        key = ("weights", self._key(pretraining), self._key(cell.backbone))
        return self._once(key, lambda: pretraining.content(cell.backbone))

    def check(self, cell: Cell) -> None:
        """Rejects invalid combinations.

        Raises:
            ValueError: the cell can never run.
            Blocked: an input is absent (the message lists all that are), or images were never read.
        """
        single = (cell.pretraining, cell.backbone, cell.data, cell.augmentation, cell.detector)
        several = (cell.protocols, cell.explainers, cell.stages)
        parts = (*map(self._key, single), *(tuple(map(self._key, group)) for group in several), cell.recipe.trains)
        self._once(("check", *parts), lambda: self._check(cell))
        for training in (cell, cell.source()):
            if training is not None and training.recipe.trains:
                self._check_split(training)
        for protocol in cell.protocols:
            self._check_targets(protocol, cell)

    def _check_targets(self, protocol: ProtocolConfig, cell: Cell) -> None:
        """Raises ValueError if the protocol evaluates targets that the cell's network does not predict."""
        if not evaluation_task(protocol.task).predicts:
            return
        if not cell.classifies:
            raise ValueError(f"protocol {protocol.title} evaluates predictions, and recipe {cell.recipe.name} trains none")
        learned, known = self._columns(cell), self._known_columns(self.dataset(protocol))
        key = ("evaluated", self._key(protocol), *self._targets_key(cell))
        try:
            self._once(key, lambda: check_evaluated(protocol, cell, learned, known))
        except ValueError as error:
            raise ValueError(f"protocol {protocol.title}: {error}") from error

    def _check(self, cell: Cell) -> None:
        cell.check_titles()
        cell.augmentation.check(cell.detector)
        blocks: list[Blocked] = []
        key = ("weights there", self._key(cell.pretraining), self._key(cell.backbone))
        looks: list[Callable[[], object]] = [lambda: self._once(key, lambda: _check_weights(cell))]
        looks += [partial(self._check_subjects, data) for data in self._trained(cell)]
        for protocol in cell.protocols:
            looks.append(partial(self._once, ("missing", self._key(protocol)), partial(self._check_protocol, protocol)))
        for look in looks:
            try:
                look()
            except Blocked as blocked:
                blocks.append(blocked)
        absent = dict.fromkeys(str(blocked) for blocked in blocks if blocked.unread is None)
        if absent:
            raise Blocked("; also: ".join(absent))
        if blocks:
            raise blocks[0]

    def _check_split(self, training: Training) -> None:
        """Raises ValueError if the recipe needs validation and the split holds out nothing to validate on."""
        data, made = training.data, training.split
        if training.targets:
            self._columns(training)
        if made.by == "official":
            official = self._once(("official", self._key(data)), lambda: data.official_validation(self.manifest(data)))
            check_official(data, official)
            return
        if made.by == "families":
            self.families(data, made.near)
        counts = self._once(("counts", self._key(data)), lambda: Counter(self.manifest(data).identities))
        if made.by == "identities":
            chosen = ("held", self._key(data), made.fraction, made.seed)
            names = self._once(chosen, lambda: held_identities(counts, made.fraction, made.seed))
            held = [counts[who] for who in names]
        else:
            each = ("held images", self._key(data), made.fraction)
            held = self._once(each, lambda: [held_images(count, made.fraction) for count in counts.values()])
        if training.targets and IDENTITY not in training.targets:
            held = [int(made.fraction > 0)]  # with classes and numbers, some image is always held out
        check_validation(training, held)

    def _check_subjects(self, data: DatasetConfig) -> None:
        if (subjects := self.subjects(data)) < 2:
            raise ValueError(f"training needs two subjects at least; {data.name} has {subjects}")
        if data.identified and data.on_identity_conflict == "fail":
            manifest = self.manifest(data)
            if same := self._once(("conflicts", self._key(data)), lambda: conflicts(manifest)):
                raise ValueError(
                    f"dataset {data.name}: {described(manifest, same)}; mend it, or set on_identity_conflict: skip trains "
                    "without them, keep with them"
                )

    def _check_protocol(self, protocol: ProtocolConfig) -> None:
        if missing := protocol.missing():
            raise Blocked(str(missing))
        self.manifest(self.dataset(protocol))

    def _trained(self, cell: Training) -> list[DatasetConfig]:
        """The datasets used to train a network of the cell."""
        own = [cell.data] if cell.recipe.trains else []
        return [*own, *([cell.pretraining.data] if isinstance(cell.pretraining, TrainedPretrainingConfig) else [])]

    def kept_pairs(self, protocol: ProtocolConfig, cell: Training) -> Pairs:
        """The protocol's pairs, without those of training subjects if its overlap policy is ``drop``."""
        trained = self._trained(cell)
        key = ("pairs", self._key(protocol), *(self._key(data) for data in trained))
        return self._once(key, lambda: self._kept_pairs(protocol, trained))

    def _kept_pairs(self, protocol: ProtocolConfig, trained: Sequence[DatasetConfig]) -> Pairs:
        data = self.dataset(protocol)
        manifest = self.manifest(data)
        with calling("protocol", protocol.name):
            pairs = checked_pairs(protocol.pairs(manifest), protocol, manifest)
        return free_pairs(protocol, manifest, pairs, self._seen(data, trained, protocol.near))

    def asked(self, protocol: ProtocolConfig, cell: Training) -> Any:
        """The protocol's evaluation data after the overlap policy: ``Pairs``, or the equivalent of its task."""
        if evaluation_task(protocol.task).pairs:
            return self.kept_pairs(protocol, cell)
        trained = self._trained(cell)
        key = ("asked", self._key(protocol), *(self._key(data) for data in trained))
        return self._once(key, lambda: self._asked(protocol, trained))

    def _asked(self, protocol: Any, trained: Sequence[DatasetConfig]) -> Any:
        data = self.dataset(protocol)
        manifest = self.manifest(data)
        seen = self._seen(data, trained, protocol.near)
        if not seen.any():
            return checked_input(protocol, manifest)
        free = np.flatnonzero(~seen)
        count = len({who for who, met in zip(manifest.identities, seen, strict=True) if met})
        refused = f"protocol {protocol.title}: {count} of its subjects are in the training set"
        task = evaluation_task(protocol.task)
        if task.fixed:
            raise ValueError(f"{refused}; its lists are fixed: train on others")
        try:
            found = checked_input(protocol, manifest.subset(free))
        except ValueError as error:
            raise ValueError(f"{refused}, and it cannot be evaluated without them ({error}); train on others") from error
        if not len(free):
            raise ValueError(f"{refused}; without them no image remains: train on others, or choose another protocol")
        if protocol.overlap == "refuse":
            raise ValueError(f"{refused}; `overlap: drop` leaves them out")
        return task.placed(found, free)

    def _seen(self, data: DatasetConfig, trained: Sequence[DatasetConfig], near: int | None) -> np.ndarray:
        """bool (N,): images of ``data`` that must not be used to evaluate on unseen subjects.

        Their subject was used in training (the same identity of a common namespace, or the same name if both datasets have
        names), or the file itself was, or, with ``near``, an image whose hash differs by at most that many bits.
        """
        data, trained = data.untransformed(), [one.untransformed() for one in trained]  # a transformed file is the same file
        manifest = self.manifest(data)
        people: set[str] = set()
        files: set[str] = set()
        for one in trained:
            other = self.manifest(one)
            files |= set(other.digests)
            people |= shared_subjects(one, other.identities, data, manifest.identities).of_evaluation()
        met = [who in people or file in files for who, file in zip(manifest.identities, manifest.digests, strict=True)]
        found = np.array(met, dtype=bool)
        if near is not None:
            found[self._alike(data, trained, near)] = True
        return found

    def _alike(self, data: DatasetConfig, trained: Sequence[DatasetConfig], bits: int) -> np.ndarray:
        """Rows of ``data`` that are near-duplicates of training images; queries all training sets, so that all get hashed."""
        from datamodules.near_duplicates import near

        rows = [np.zeros(0, np.int64)]
        blocks: list[Blocked] = []
        for one in [data, *trained]:
            try:
                theirs = self.prints(one)
                if one is not data and not blocks:
                    rows.append(near(theirs, self.prints(data), bits)[0][:, 1])
            except Blocked as blocked:
                blocks.append(blocked)
        if blocks:
            raise blocks[0]
        return np.unique(np.concatenate(rows))

    def pairs(self, protocol: ProtocolConfig, cell: Training) -> str:
        if not evaluation_task(protocol.task).pairs:
            return str(self.asked(protocol, cell).digest)
        pairs = self.kept_pairs(protocol, cell)
        keys = self.manifest(self.dataset(protocol)).keys
        key = ("pairs digest", self._key(protocol), *map(self._key, self._trained(cell)))
        return self._once(key, lambda: pairs_digest(pairs, keys))


def _dataset(protocol: ProtocolConfig) -> DatasetConfig:
    """The protocol's dataset, with its transforms if it has any."""
    data = protocol.dataset()
    if not protocol.transforms:
        return data
    policies = {key: getattr(data, key) for key in ("on_bad_image", "on_identity_conflict")}
    found = resolve("data", {"name": "transformed", "data": data, "transforms": protocol.transforms, **policies})
    assert isinstance(found, DatasetConfig)
    return found


def _readable(find: Callable[[], Found]) -> Found:
    """The result of ``find``; an OSError, such as of a symbolic link loop or a missing permission, becomes a ValueError."""
    try:
        return find()
    except OSError as error:
        name, why = error.filename, error.strerror
        raise ValueError(f"{name}: {why}" if name and why else str(error)) from error


def _check_weights(cell: Cell) -> None:
    pretraining, backbone = cell.pretraining, cell.backbone
    if reason := pretraining.impossible(backbone):
        raise ValueError(f"{reason}; add a skip rule with that reason")
    if missing := pretraining.missing(backbone):
        raise Blocked(str(missing))
    pretraining.check(backbone)
