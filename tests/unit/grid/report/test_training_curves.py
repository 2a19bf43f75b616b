import math
import re

import pytest

from grid.report.build import build
from grid.report.training_curves import linear_scale, log_scale, training_curves
from grid.results import rows


@pytest.fixture
def table(make_study):
    return rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=()))


def history(losses, accuracies=None):
    made = [{"epoch": n, "train_loss": loss, "validation_loss": loss} for n, loss in enumerate(losses)]
    for row, accuracy in zip(made, accuracies or (), strict=False):
        row["validation_accuracy"] = accuracy
    return made


def heights(plot, kind="validation"):
    return [float(point.split(",")[1]) for point in plot.lines[kind].split()]


def test_one_spike_leaves_the_other_curves_readable(table):
    """One scale from 0 to 196 drew every other curve flat."""
    spiked, calm = training_curves(table, [history([196.0, 3.0, 0.9]), history([4.0, 2.0, 1.0])])
    inside = heights(calm.plots[0])
    assert max(inside) - min(inside) > 0.2 * calm.plots[0].frame.height
    assert spiked.plots[0].ticks == calm.plots[0].ticks
    assert len(calm.plots[0].ticks) >= 3


def test_a_place_on_the_log_scale_is_read_back_from_its_ticks(table):
    (one, _) = training_curves(table, [history([5.0, 0.7]), history([2.0])])
    (y1, low), (y2, high) = one.plots[0].ticks[0], one.plots[0].ticks[-1]
    share = (heights(one.plots[0])[0] - y1) / (y2 - y1)
    assert float(low) * (float(high) / float(low)) ** share == pytest.approx(5.0, rel=0.01)


def test_accuracy_has_a_plot_of_its_own_from_0_to_100_percent(table):
    (one, _) = training_curves(table, [history([5.0, 0.7], [0.25, 1.0]), history([2.0])])
    loss, accuracy = one.plots
    assert (loss.name, accuracy.name) == ("loss", "accuracy")
    assert [text for _, text in accuracy.ticks] == ["0 %", "50 %", "100 %"]
    frame = accuracy.frame
    assert heights(accuracy) == [frame.top + 0.75 * frame.height, frame.top]


def test_each_of_several_targets_has_plots_below_the_loss(table):
    rows_of = history([5.0, 0.7], [0.5, 0.5])  # of the primary target, so not drawn twice
    for number, row in enumerate(rows_of):
        row |= {
            "validation_accuracy_gender": 0.5 + number / 4,
            "validation_loss_gender": 0.5,
            "validation_mae_age": 20.0 - number,
        }
    one, other = training_curves(table, [rows_of, history([2.0])])
    assert [plot.name for plot in one.plots] == ["loss", "mae_age", "accuracy_gender", "loss_gender"]
    assert [plot.title for plot in one.plots] == ["", "age, mean absolute error", "gender, accuracy", "gender, loss"]
    tops = [plot.frame.top for plot in one.plots]
    bottoms = [plot.frame.top + plot.frame.height for plot in one.plots]
    assert all(bottom < top for bottom, top in zip(bottoms, tops[1:], strict=False))
    assert one.height > bottoms[-1]
    accuracy = one.plots[2]
    assert heights(accuracy) == [accuracy.frame.top + (1 - share) * accuracy.frame.height for share in (0.5, 0.75)]
    assert [text for _, text in one.plots[1].ticks] == ["0", "10", "20"]
    assert other.plots[2].lines == {}
    assert other.height == one.height


def test_without_accuracies_there_is_one_plot(table):
    assert [len(one.plots) for one in training_curves(table, [history([5.0]), history([2.0])])] == [1, 1]


def test_epochs_count_from_1_and_the_kept_one_is_ringed(table):
    table.rows[0].markers["train"].facts["kept_epoch"] = 2
    (one, other) = training_curves(table, [history([5.0, 3.0, 1.0, 2.0]), history([2.0])])
    assert (one.kept, one.epochs, one.length, other.epochs, other.length) == (3, 4, 4, 1, 4)
    assert one.plots[0].kept == tuple(float(part) for part in one.plots[0].lines["validation"].split()[2].split(","))


def test_a_single_epoch_is_drawn_as_a_dot(table):
    (one, _) = training_curves(table, [history([5.0]), history([2.0])])
    first, second = one.plots[0].lines["validation"].split()
    assert first == second


def test_numbers_that_are_not_finite_are_left_out(table):
    rows_of = history([4.0, math.nan, math.inf, 1.0])
    rows_of[0]["validation_loss"] = None
    (one, _) = training_curves(table, [rows_of, history([2.0])])
    assert len(one.plots[0].lines["validation"].split()) == 2
    assert len(one.plots[0].lines["train"].split()) == 2
    assert one.best == "1"


def test_a_loss_of_zero_or_less_gives_each_cell_a_linear_scale(table):
    one, other = training_curves(table, [history([1.0, -3.0]), history([200.0, 100.0])])
    assert [text for _, text in one.plots[0].ticks] == ["-3", "-1", "1"]
    assert [text for _, text in other.plots[0].ticks] == ["100", "150", "200"]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.03, 196),
        (1, 1),
        (0.2, 0.2),
        (1e-9, 3e4),
        (0.999, 1.001),
        (5, 5.0001),
        (0.09999999999999999, 1),
        (99.99999999999999, 200),
    ],
)
def test_a_log_scale_covers_its_numbers_with_two_to_five_ticks(low, high):
    scale = log_scale(low, high)
    assert scale.low <= low <= high <= scale.high
    assert 2 <= len(scale.ticks) <= 5
    assert all(0 <= scale.place(tick) <= 1 + 1e-9 for tick in scale.ticks)


def test_a_linear_scale_of_one_number_has_a_height():
    scale = linear_scale(0.0, 0.0)
    assert scale.low < 0 < scale.high


def test_the_page_shows_loss_accuracy_and_ticks(make_study):
    text = build(make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())).read_text()
    part = text[text.index('id="training"') :]
    assert "loss, accuracy by epoch" in part
    assert re.search(r'text-anchor="end">100 %<', part)
    assert "one logarithmic scale" in part
    assert re.search(r"epoch \d kept of 4", part)
