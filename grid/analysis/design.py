"""The linear model of a grid: main effects and two-way interactions, as far as the finished cells can estimate them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Term = tuple[str, ...]  # one axis, or the two of an interaction
SMALL = 1e-9  # singular values and coefficients below are rounding errors


@dataclass(frozen=True)
class Design:
    """Sum-coded model of the rows of a table (type III: each effect is a deviation from the mean over levels).

    Attributes:
        matrix: (rows, 1 + parameters); the first column is the mean.
        columns: the columns of each term that can be estimated.
        levels: axis -> its levels that occur.
        dropped: term -> terms that it is aliased with; without any, with the mean.
        aliases: term of ``columns`` -> dropped interactions that its estimate includes; empty where there are none.
        refused: main effect -> dropped interactions that it is fully aliased with: on these rows, they are the same columns.
            It stays in the matrix, so that other effects are adjusted for it; its parameters estimate no effect of their own.
    """

    matrix: np.ndarray
    columns: Mapping[Term, range]
    levels: Mapping[str, tuple[str, ...]]
    dropped: Mapping[Term, tuple[Term, ...]]
    aliases: Mapping[Term, tuple[Term, ...]]
    refused: Mapping[Term, tuple[Term, ...]]

    def contrasts(self, term: Term) -> tuple[list[tuple[str, ...]], np.ndarray]:
        """The combinations of levels of a term, and (combinations, parameters of the term): effect = row @ parameters."""
        rows = np.ones((1, 1))
        for axis in term:
            rows = np.kron(rows, coding(len(self.levels[axis])))
        return list(itertools.product(*(self.levels[axis] for axis in term))), rows


def design(cells: Sequence[Mapping[str, str]], axes: Mapping[str, Sequence[str]], negligible: bool = False) -> Design:
    """The largest model of main effects and two-way interactions whose every term these rows can estimate.

    Interactions of three factors and more are taken to be 0. Two-way interactions that cannot be estimated are left out first,
    all of them at once. A main effect that is fully aliased with one of them is refused, unless they are assumed to be 0.

    Args:
        cells: axis -> level of each row.
        axes: axis -> levels; axes with one level among the rows are no factors.
        negligible: two-way interactions that cannot be estimated are assumed to be 0.
    """
    there = {axis: {cell[axis] for cell in cells} for axis in axes}
    levels = {axis: tuple(one for one in all_ if one in there[axis]) for axis, all_ in axes.items()}
    factors = [axis for axis, found in levels.items() if len(found) > 1]
    terms: list[Term] = [(axis,) for axis in factors] + list(itertools.combinations(factors, 2))
    dropped: dict[Term, tuple[Term, ...]] = {}
    while True:
        matrix, columns = _matrix(cells, terms, levels)
        aliased = _aliased(matrix, columns)
        interactions: list[Term] = [term for term in aliased if len(term) == 2]
        gone: list[Term] = interactions or list(aliased)
        if not gone:
            lacking = _matrix(cells, [term for term in dropped if len(term) == 2], levels)
            refused = {} if negligible else _fully_aliased(matrix, columns, *lacking)
            return Design(matrix, columns, levels, dropped, _included(matrix, columns, *lacking), refused)
        dropped |= {term: aliased[term] for term in gone}
        terms = [term for term in terms if term not in gone]


def _matrix(
    cells: Sequence[Mapping[str, str]], terms: Sequence[Term], levels: Mapping[str, tuple[str, ...]]
) -> tuple[np.ndarray, dict[Term, range]]:
    blocks, columns, width = [np.ones((len(cells), 1))], {}, 1
    for term in terms:
        block = np.ones((len(cells), 1))
        for axis in term:
            coded = coding(len(levels[axis]))[[levels[axis].index(cell[axis]) for cell in cells]]
            block = (block[:, :, None] * coded[:, None, :]).reshape(len(cells), -1)
        blocks.append(block)
        columns[term] = range(width, width + block.shape[1])
        width += block.shape[1]
    return np.hstack(blocks), columns


def coding(levels: int) -> np.ndarray:
    """Sum coding (levels, levels - 1): the last level is minus the sum of the others."""
    return np.vstack([np.eye(levels - 1), -np.ones(levels - 1)])


def _aliased(matrix: np.ndarray, columns: Mapping[Term, range]) -> dict[Term, tuple[Term, ...]]:
    """Each term that cannot be estimated, with the terms that share a direction of the null space with it."""
    _, sizes, turned = np.linalg.svd(matrix, full_matrices=True)
    rank = int((sizes > SMALL * sizes.max(initial=0.0)).sum())
    null = turned[rank:]
    projection = null.T @ null  # column j can be estimated exactly if its diagonal entry is 0
    found = {}
    for term, own in columns.items():
        if np.abs(projection[list(own)]).max(initial=0.0) > SMALL:
            found[term] = tuple(
                other
                for other, theirs in columns.items()
                if other != term and np.abs(projection[np.ix_(list(own), list(theirs))]).max(initial=0.0) > SMALL
            )
    return found


def _included(
    matrix: np.ndarray, columns: Mapping[Term, range], others: np.ndarray, theirs: Mapping[Term, range]
) -> dict[Term, tuple[Term, ...]]:
    """The dropped interactions in the estimate of each term: those with entries in its rows of the alias matrix.

    With the model X1 and what it lacks, X2, the expected estimates are b1 + (X1'X1)^-1 X1'X2 b2 (Box and Hunter: The 2^(k-p)
    fractional factorial designs. Technometrics 3, 1961; Box and Draper, Response Surfaces, 2007, Section 3.9).
    """
    alias = np.linalg.pinv(matrix) @ others
    return {
        term: tuple(other for other in theirs if np.abs(alias[np.ix_(list(own), list(theirs[other]))]).max(initial=0.0) > SMALL)
        for term, own in columns.items()
    }


def _fully_aliased(
    matrix: np.ndarray, columns: Mapping[Term, range], others: np.ndarray, theirs: Mapping[Term, range]
) -> dict[Term, tuple[Term, ...]]:
    """Each term whose columns are those of the mean and of one dropped interaction: no value of it can be ruled out.

    It is a main effect: of two interactions with equal columns, both are dropped.
    """
    found: dict[Term, tuple[Term, ...]] = {}
    for term, own in columns.items():
        effect = matrix[:, list(own)]
        same = []
        for other, places in theirs.items():
            basis = np.hstack([matrix[:, :1], others[:, list(places)]])
            if np.abs(effect - basis @ np.linalg.lstsq(basis, effect, rcond=None)[0]).max() < SMALL:
                same.append(other)
        if same:
            found[term] = tuple(same)
    return found
