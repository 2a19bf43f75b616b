"""Tables typed in from publications: columns, units, variances, and the one line where they cannot be read."""

import numpy as np
import pytest

from grid.analysis.typed_table import independent_variance, read_table
from grid.spec.grid_file import BadInput

HEAD = "backbone,eer [%],auc,genuine,impostor"


def read(tmp_path, *lines):
    file = tmp_path / "table.csv"
    file.write_text("# a comment\n" + "\n".join(lines) + "\n")
    return read_table(file)


def test_percentages_are_fractions_and_errors_are_better_low(tmp_path):
    eer, auc = read(tmp_path, HEAD, "a,11.5,0.953,3000,3000", "b,4.0,0.99,3000,3000")
    assert (eer.column.key, eer.column.percent, eer.column.lower_is_better) == ("eer", True, True)
    assert (auc.column.key, auc.column.percent, auc.column.lower_is_better) == ("auc", False, False)
    assert eer.contrasts.means == pytest.approx([0.115, 0.04])
    assert eer.axes == {"backbone": ["a", "b"]}
    assert eer.contrasts.estimate(np.array([1.0, 0.0])).value == pytest.approx(0.115)


def test_printed_intervals_are_preferred_to_numbers_of_pairs(tmp_path):
    (found,) = read(tmp_path, "a,eer,eer low,eer high,genuine,impostor", "x,0.1,0.08,0.12,50,50", "y,0.2,0.1,0.3,50,50")
    estimate = found.contrasts.estimate(np.array([1.0, 0.0]))
    assert (estimate.low, estimate.high) == pytest.approx((0.08, 0.12))


def test_without_pairs_or_intervals_nothing_is_known_of_the_uncertainty(tmp_path):
    (found,) = read(tmp_path, "a,auc", "x,0.9", "y,0.8")
    assert found.contrasts.estimate(np.array([1.0, -1.0])) is None
    assert found.basis == ""


@pytest.mark.parametrize(("key", "kind"), [("fmr", "impostor"), ("fnmr", "genuine"), ("val:0.01", "genuine")])
def test_a_rate_of_one_kind_of_pairs_needs_their_number_alone(tmp_path, key, kind):
    (found,) = read(tmp_path, f"a,{key},{kind}", "x,0.2,400", "y,0.1,400")
    estimate = found.contrasts.estimate(np.array([1.0, 0.0]))
    assert estimate.high - estimate.low == pytest.approx(2 * 1.959964 * np.sqrt(0.2 * 0.8 / 400), rel=1e-6)


@pytest.mark.parametrize(("key", "share"), [("auc", 0.9), ("eer", 0.1), ("val:0.01", 0.7), ("fmr", 0.05)])
def test_variances_are_those_of_simulated_independent_pairs(key, share):
    """Exponential scores (Hanley and McNeil's model) for the AUC, counts for the rates."""
    rng, genuine, impostor = np.random.default_rng(0), 60, 240
    if key == "auc":
        rate = share / (1 - share)  # P(genuine > impostor) of exponentials with means rate and 1
        up, down = rng.exponential(rate, (4000, genuine, 1)), rng.exponential(1, (4000, 1, impostor))
        drawn = (up > down).mean(axis=(1, 2))
    elif key == "eer":
        drawn = sum(rng.binomial(count, share, 4000) / count for count in (genuine, impostor)) / 2
    else:
        count = genuine if key.startswith("val") else impostor
        drawn = rng.binomial(count, share, 4000) / count
    pairs = {"genuine": np.array([float(genuine)]), "impostor": np.array([float(impostor)])}
    (found,) = independent_variance(key, np.array([share]), pairs)
    assert found == pytest.approx(drawn.var(), rel=0.1)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ((HEAD, "a,11.5,0.953,3000,3000"), "a head and two lines or more; found 2 lines"),
        ((HEAD, "a,11.5,0.9,30,30", "b,1,0.9,30"), ":4: 4 fields; the head has 5"),
        ((HEAD, "a,11.5,0.9,30,30", "a,1,0.9,30,30"), ":4: backbone=a stands twice, first at line 3"),
        ((HEAD, "a,x,0.9,30,30", "b,1,0.9,30,30"), ":3: eer [%]: 'x' is no number"),
        (
            (HEAD, "a,1,95,30,30", "b,1,0.9,30,30"),
            ":3: auc: 95 is no share from 0 to 1; a column in percent is called 'auc [%]'",
        ),
        ((HEAD, "a,1,nan,30,30", "b,1,0.9,30,30"), ":3: auc: nan is no share"),
        ((HEAD, "a,1,0.9,30,1", "b,1,0.9,30,30"), ":3: impostor: '1' is no number of pairs"),
        (("backbone,size", "a,1", "b,2"), "columns of factors and of metrics; found backbone, size"),
        (("a,auc,auc", "a,1,1", "b,1,1"), ":2: two columns have one name"),
        (
            ("a,auc [%],auc low [%]", "a,90,80", "b,91,81"),
            ":2: column 'auc low [%]': columns of a metric are called 'auc', 'auc low' and 'auc high', or in percent 'auc",
        ),
        (
            ("a,auc [%],auc low,auc high", "a,90,0.8,0.95", "b,91,0.8,0.95"),
            ":2: column 'auc low' needs 'auc', in the same unit",
        ),
        (
            ("a,auc,auc low", "a,0.9,0.8", "b,0.91,0.8"),
            ":2: column 'auc low' needs 'auc high', in the same unit; there are a, auc",
        ),
        (("a,auc,eer low,eer high", "a,0.9,0,0.1", "b,0.9,0,0.1"), ":2: column 'eer low' needs 'eer', in the same unit"),
        (("a,auc,genuine", "a,0.9,30", "b,0.91,30"), ":2: column 'auc': its variance needs the numbers of pairs 'impostor'"),
        (("a,fmr,genuine", "a,0.9,30", "b,0.91,30"), ":2: column 'fmr': its variance needs the numbers of pairs 'impostor'"),
        (
            ("a,auc [%],auc [%] low,auc [%] high", "a,90,80,95", "b,91,95,80"),
            ": a=b: auc [%] is 0.91, which is not between its bounds 0.95 and 0.8 (as fractions)",
        ),
    ],
)
def test_a_wrong_table_is_named_in_one_line(tmp_path, lines, complaint):
    with pytest.raises(BadInput) as error:
        read(tmp_path, *lines)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_an_absent_table_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.csv: cannot be read"):
        read_table(tmp_path / "nowhere.csv")
