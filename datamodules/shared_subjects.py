"""Subjects that are in two datasets, by identity or by name: asked by a plan and by ``facegrid data audit``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from configs.data_interfaces import DatasetConfig
from datamodules.list_readers.subject_names import normalized


@dataclass(frozen=True)
class SharedSubjects:
    """The subjects of a training set that are in an evaluation set.

    Attributes:
        identities: the equal identities if both datasets have the same namespace, sorted
        names: (subject of the training set, subject of the evaluation set, normalized name), sorted
        named: (training, evaluation) number of subjects with names; (0, 0) if names were not compared
    """

    identities: tuple[str, ...]
    names: tuple[tuple[str, str, str], ...]
    named: tuple[int, int]

    def of_evaluation(self) -> set[str]:
        """The affected identities of the evaluation set."""
        return {*self.identities, *(who for _, who, _ in self.names)}


def shared_subjects(
    train: DatasetConfig, ours: Collection[str], evaluation: DatasetConfig, theirs: Collection[str]
) -> SharedSubjects:
    """Compares the subjects of two datasets.

    Args:
        train: the training dataset
        ours: its identities, each once or more often
        evaluation: the evaluation dataset
        theirs: its identities
    """
    common = set(ours) & set(theirs) if train.namespace == evaluation.namespace else set()
    mine = _by_name(train.names(set(ours)))
    other = _by_name(evaluation.names(set(theirs))) if mine else {}
    names = sorted((a, b, name) for name in mine.keys() & other.keys() for a in mine[name] for b in other[name])
    counts = (sum(map(len, mine.values())), sum(map(len, other.values())))
    return SharedSubjects(tuple(sorted(common)), tuple(names), counts if all(counts) else (0, 0))


def _by_name(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Normalized name -> the subjects with that name; subjects whose name has no letter or digit are left out."""
    found: dict[str, list[str]] = {}
    for who, name in names.items():
        if plain := normalized(name):
            found.setdefault(plain, []).append(who)
    return found
