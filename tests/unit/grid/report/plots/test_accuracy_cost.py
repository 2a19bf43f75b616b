"""A metric against the cost of a training."""

from __future__ import annotations

import numpy as np
import pytest
from invented_study import build_study

from grid.report.plots.accuracy_cost import accuracy_cost, pareto
from grid.report.plots.scores import MOST
from grid.report.stage_times import training_seconds
from grid.results.rows import Table, table


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """More cells than have names in a legend."""
    axes = {"network": [f"n{number}" for number in range(MOST + 4)]}
    return table(build_study(tmp_path_factory.mktemp("many") / "many", axes=axes, pairs=200, explainers=()))


def test_every_cell_is_drawn_and_the_front_joins_points_that_are_there(many: Table) -> None:
    column = many.every_column[0]
    plot = accuracy_cost(many, column)
    assert plot is not None
    (axes,) = plot.figure.axes
    points = {
        (float(x), float(y))
        for line in axes.lines
        if line.get_marker() not in ("None", None, "")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    expected = []
    for row in many.rows:
        value, cost = row.value(column), training_seconds(row)
        assert value is not None
        assert value.value is not None
        assert cost is not None
        expected.append((cost, 100 * value.value))
    assert np.allclose(sorted(points), sorted(set(expected)))
    (front,) = [line for line in axes.lines if line.get_linestyle() == ":"]
    joined = list(zip(front.get_xdata(), front.get_ydata(), strict=True))
    assert np.allclose(joined, pareto(expected))
    assert set(joined) <= points
    assert len(plot.figure.legends[0].get_texts()) == MOST
    assert plot.words.endswith("Gray: the other 4 cells.")


def test_the_front_has_no_cell_that_another_dominates() -> None:
    rng = np.random.default_rng(1)
    points = [(float(a), float(b)) for a, b in rng.integers(0, 20, (60, 2))]
    naive = {(c, v) for c, v in points if not any((d <= c and w >= v and (d, w) != (c, v)) for d, w in points)}
    assert set(pareto(points)) == naive
    assert pareto([(1, 5), (2, 4), (3, 6)], lower_is_better=True) == [(1, 5), (2, 4)]
