"""Claims judged: supported, contradicted or not resolved; checked against naive forms, simulation and Ito's Table I."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grid.analysis.analysis import analyze
from grid.analysis.claim_verdicts import Evidence, judge, partial_conjunction
from grid.analysis.claim_words import bases, claim_records, decisive, reasons
from grid.analysis.claims import Claim, Claims, read_claims
from grid.analysis.study_evidence import study_evidence
from grid.analysis.typed_table import TypedNumbers, read_table
from grid.results.columns import Column
from grid.results.rows import table
from grid.spec.grid_file import BadInput

CLAIMS = Path(__file__).resolve().parents[4] / "configs" / "claims"
AXES = {"net": ("a", "b", "c"), "detection": ("none", "mtcnn")}
CELLS = [dict(zip(AXES, levels, strict=True)) for levels in itertools.product(*AXES.values())]


def evidence(values, deviation=0.01, key="auc", lower=False, cells=CELLS, without=()):
    values = np.asarray(values, float)
    variances = None if deviation is None else np.full(len(values), float(deviation) ** 2)
    column = Column("p", key, key.upper(), False, 3, lower)
    return Evidence(column, AXES, cells, TypedNumbers(values, variances, 100), "other pairs", without)


def verdict(found, **claim):
    (judged,) = judge(Claims(claims=(Claim(claim="c", **claim),)), [found])
    return judged


ORDER = [{"net": "c"}, {"net": "b"}, {"net": "a"}]
RISING = [0.70, 0.72, 0.80, 0.82, 0.90, 0.92]


def test_an_order_of_means_is_supported_and_its_reverse_contradicted():
    right, wrong = verdict(evidence(RISING), order=ORDER), verdict(evidence(RISING), order=ORDER[::-1])
    assert (right.verdict, right.agreeing, len(right.steps)) == ("supported", 2, 2)
    assert (wrong.verdict, wrong.agreeing) == ("contradicted", 0)
    assert [step.value for step in right.steps] == pytest.approx([0.1, 0.1])


def test_one_doubtful_neighbor_leaves_the_order_open():
    found = verdict(evidence([0.70, 0.72, 0.80, 0.82, 0.805, 0.825]), order=ORDER)
    assert (found.verdict, found.agreeing) == ("not resolved", 2)
    assert decisive(found).name == "net=c over net=b"
    assert "What decides: net=c over net=b, +0.005 [" in reasons(found)


def test_errors_are_better_low():
    assert verdict(evidence(RISING, key="eer", lower=True), order=ORDER).verdict == "contradicted"


def test_for_each_repeats_the_order_at_every_level():
    found = verdict(
        evidence([0.7, 0.8, 0.7, 0.8, 0.7, 0.6]), order=[{"detection": "mtcnn"}, {"detection": "none"}], for_each=["net"]
    )
    assert [step.name for step in found.steps] == [f"detection=mtcnn over detection=none at net={net}" for net in "abc"]
    assert (found.agreeing, found.verdict) == (2, "contradicted")
    first = verdict(evidence([0.7, 0.8, 0.7, 0.8, 0.7, 0.6]), order=[{"detection": "mtcnn"}, {"detection": "none"}],
                    for_each=["net"], where={"net": ["a", "b"]})  # fmt: skip
    assert (len(first.steps), first.verdict) == (2, "supported")


def test_a_missing_cell_is_left_out_on_both_sides():
    """Net a is far worse; without its cell with detection, it must not stand against detection's mean."""
    cells = [cell for cell in CELLS if cell != {"net": "a", "detection": "mtcnn"}]
    found = verdict(evidence([0.2, 0.8, 0.9, 0.8, 0.9], cells=cells), order=[{"detection": "mtcnn"}, {"detection": "none"}])
    assert found.steps[0].value == pytest.approx(0.1)


def test_levels_of_a_set_count_at_the_same_levels_of_other_axes():
    """All nets are equal; a, which has no cell without detection, must not lift the mean of a and b."""
    cells = [cell for cell in CELLS if cell != {"net": "a", "detection": "none"}]
    found = verdict(evidence([0.9, 0.8, 0.9, 0.8, 0.9], cells=cells), order=[{"net": ["a", "b"]}, {"net": "c"}])
    assert found.steps[0].value == pytest.approx(0)
    assert found.verdict == "not resolved"


FAILED, REST = CELLS[:4], CELLS[4:]  # nets a and b


def test_cells_without_a_result_count_as_unknown():
    good = evidence([0.95, 0.99], cells=REST, without=FAILED)
    most = verdict(good, above=0.8, cells="most")
    assert (most.needed, most.unknown, most.verdict) == (4, 4, "not resolved")
    assert reasons(most).startswith("2 of 2 cells are on this side by the numbers alone, 4 are needed. 4 of 6 lack results.")
    assert [verdict(good, above=0.8, cells=cells).verdict for cells in (2, "all")] == ["supported", "not resolved"]
    assert verdict(good, above=1.1).verdict == "contradicted", "one cell that does not hold is enough"
    (record,) = claim_records([most])
    assert record["without_result"] == 4


@pytest.mark.parametrize(
    ("values", "without", "cells", "decides"),
    [
        ([0.98, 0.97, 0.7], CELLS[3:4], "all", "What decides: net=b, detection=none, −0.200 above the limit ["),
        ([0.98, 0.97, 0.7], CELLS[3:], "all", "What decides: net=b, detection=none, −0.200 above the limit ["),
        ([0.98, 0.97, 0.7], CELLS[3:5], 2, "What decides: net=a, detection=mtcnn, +0.070 above the limit ["),
        ([0.98, 0.97], CELLS[2:], "all", "The missing results decide. p 1.000."),
        ([0.98, 0.97], CELLS[2:], "most", "The missing results decide. p 1.000."),
    ],
)
def test_the_number_that_decides_is_the_one_of_the_verdict(values, without, cells, decides):
    found = verdict(evidence(values, cells=CELLS[: len(values)], without=without), above=0.9, cells=cells)
    assert decides in reasons(found)
    assert (decisive(found) is None) == (found.p == 1)


def test_a_level_without_results_is_one_at_which_the_order_is_unknown():
    order = [{"detection": "mtcnn"}, {"detection": "none"}]
    found = verdict(evidence([0.7, 0.9], cells=REST, without=FAILED), order=order, for_each=["net"])
    assert (len(found.steps), found.unknown, found.verdict) == (1, 2, "not resolved")
    assert verdict(evidence([0.9, 0.7], cells=REST, without=FAILED), order=order, for_each=["net"]).verdict == "contradicted"
    nets = [{"net": "c"}, {"net": ["a", "b"]}]
    none = verdict(evidence([0.7, 0.9], cells=REST, without=FAILED), order=nets)
    assert (none.steps, none.why) == ((), "no cell that it is about has a result")


def test_numbers_without_uncertainty_resolve_nothing():
    found = verdict(evidence(RISING, None), order=ORDER)
    assert (found.verdict, found.agreeing, found.p) == ("not resolved", 2, None)
    assert reasons(found).endswith("Cannot be judged: the numbers have no uncertainty.")


@pytest.mark.parametrize(
    ("cells", "expected"), [("all", "contradicted"), ("most", "supported"), (5, "not resolved"), (6, "contradicted")]
)
def test_limits_count_cells(cells, expected):
    found = evidence([0.01, 0.02, 0.02, 0.03, 0.0995, 0.2], key="eer", lower=True)
    assert verdict(found, below=0.1, cells=cells).verdict == expected


def test_the_mirror_of_a_limit():
    assert verdict(evidence(RISING), above=0.5).verdict == "supported"
    assert verdict(evidence(RISING), above=0.95).verdict == "contradicted"


def test_a_number_says_on_which_side_of_the_limit_it_is():
    low = evidence([0.01] * 6, key="eer", lower=True)
    assert ", +0.090 below the limit [+" in reasons(verdict(low, below=0.1))
    assert ", +0.200 above the limit [+" in reasons(verdict(evidence([0.7] * 6), above=0.5))


def test_more_claims_need_stronger_evidence():
    """The same doubtful claim, alone and beside nine others."""
    weak = Claim(claim="weak", order=[{"net": "b"}, {"net": "a"}], where={"detection": ["none"]})
    others = tuple(Claim(claim=f"{n}", above=0.7, where={"net": ["a"], "detection": ["none"]}) for n in range(9))
    found = evidence([0.70, 0.72, 0.736, 0.82, 0.9, 0.92])  # z = 2.5
    (alone,) = judge(Claims(claims=(weak,)), [found])
    among = judge(Claims(claims=(weak, *others)), [found])[0]
    assert (alone.verdict, among.verdict) == ("supported", "not resolved")
    assert among.adjusted == pytest.approx(10 * alone.p)


def test_partial_conjunction_holds_its_level():
    """Under the least favorable null, m - 1 of n alternatives are certain and the others null."""
    rng = np.random.default_rng(0)
    for n, m in ((5, 5), (5, 3), (5, 1)):
        p = rng.uniform(size=(20_000, n))
        p[:, : m - 1] = 0
        assert np.mean([partial_conjunction(list(row), m) < 0.05 for row in p]) < 0.055
    assert partial_conjunction([0.01, 0.2, 0.03], 3) == 0.2
    assert partial_conjunction([0.01, 0.2, 0.03], 2) == pytest.approx(0.06)


def test_the_steps_of_a_study_are_its_comparisons(make_study):
    """Two single cells: difference, interval and p are those of the paired comparison."""
    axes = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}
    study = make_study(axes=axes, pairs=100, explainers=())
    analyses = analyze(study, table(study))
    (pair,) = next(one for one in analyses[0].metrics if one.column.key == "auc").comparisons.pairs
    names = [analyses[0].cells[number]["backbone"] for number in (pair.first, pair.second)]
    claim = Claim(claim="c", metric="auc", order=[{"backbone": name} for name in names])
    (found,) = judge(Claims(claims=(claim,)), study_evidence(study, table(study), analyses))
    assert found.steps[0].estimate == pair.difference
    assert found.p == pytest.approx(pair.difference.p)
    assert bases([found]).endswith("and other seeds")
    (record,) = claim_records([found])
    assert (record["verdict"], record["steps"][0]["low"]) == (found.verdict, pair.difference.low)


def test_failed_cells_of_a_study_count_as_unknown(make_study):
    axes = {"backbone": ["alexnet", "resnet34", "mobilefacenet"], "detection": ["none", "mtcnn"]}
    study = make_study(axes=axes, pairs=100, explainers=(), failed=[{"backbone": "alexnet"}])
    (found,) = judge(
        Claims(claims=(Claim(claim="c", metric="auc", above=0.1),)),
        study_evidence(study, table(study), analyze(study, table(study))),
    )
    assert (len(found.steps), found.unknown, found.verdict) == (4, 2, "not resolved")


def without_number(found, metric, backbone):
    """The table where the cells of a network lack a number."""
    own = [
        replace(
            row, results=tuple(one for one in row.results if one.metric != metric or row.cell.levels["backbone"] != backbone)
        )
        for row in found.rows
    ]
    return replace(found, rows=tuple(own))


def test_cells_that_lack_one_number_count_as_unknown_for_it_alone(make_study):
    axes = {"backbone": ["alexnet", "resnet34", "mobilefacenet"], "detection": ["none", "mtcnn"]}
    study = make_study(axes=axes, pairs=200, explainers=())
    shown = without_number(table(study), "val:0.01", "alexnet")
    order = [{"backbone": "resnet34"}, {"backbone": "mobilefacenet"}]
    claims = (
        Claim(claim="all", metric="val:0.01", above=0.9),
        Claim(claim="others", metric="val:0.01", order=order),
        Claim(claim="auc", metric="auc", above=0.1),
    )
    found = judge(Claims(claims=claims), study_evidence(study, shown, analyze(study, shown)))
    assert [(len(one.steps), one.unknown) for one in found] == [(4, 2), (1, 0), (6, 0)]
    whole = table(study)
    alone = judge(Claims(claims=claims), study_evidence(study, whole, analyze(study, whole)))[1]
    assert found[1].steps == alone.steps, "on the same pairs"
    shown = without_number(shown, "ten_fold", "resnet34")
    (first,) = judge(Claims(claims=(Claim(claim="c", above=0.1),)), study_evidence(study, shown, analyze(study, shown)))
    assert first.evidence.column.key == "ten_fold", "the first of the table, which has it for some cells"


@pytest.mark.parametrize(
    ("lost", "expected"), [([{"backbone": "alexnet"}], (1, 1, "")), ([{}], (0, 0, "there are no results"))]
)
def test_one_finished_cell_can_be_compared_with_a_limit_and_none_is_no_mistake(make_study, lost, expected):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=100, explainers=(), unfinished=lost)
    evidence = study_evidence(study, table(study), analyze(study, table(study)))
    (found,) = judge(Claims(claims=(Claim(claim="c", metric="auc", above=0.1),)), evidence)
    assert (len(found.steps), found.unknown, found.why) == expected


@pytest.mark.parametrize("counts", [(1, 3), (2, 3)])
def test_a_verdict_says_which_cells_it_holds_for_other_seeds_of(make_study, counts):
    axes = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}
    lost = [{"backbone": "alexnet", "replicate": str(number)} for number in range(counts[0], 3)]
    study = make_study(axes=axes, pairs=100, explainers=(), failed=lost)
    (evidence, *_) = study_evidence(study, table(study), analyze(study, table(study)))
    assert evidence.basis.endswith(
        "other seeds" if counts[0] > 1 else "other seeds of those cells that have several replicates"
    )


@pytest.mark.parametrize(
    ("claim", "complaint"),
    [
        ({"metric": "aux", "order": ORDER}, "claim 'c': no metric 'aux'; there are auc"),
        ({"protocol": "q", "order": ORDER}, "claim 'c': no protocol 'q'; there are p"),
        ({"order": [{"net": "c"}, {"net": "d"}]}, "claim 'c': axis 'net' has no level 'd'"),
        ({"order": [{"nets": "c"}, {"net": "a"}]}, "claim 'c': unknown axis 'nets'"),
        ({"order": ORDER, "for_each": ["x"]}, "for_each: no axis 'x'; there are net, detection"),
        ({"below": 1, "cells": 7}, "cells: 7 of 6 cells"),
    ],
)
def test_a_claim_about_something_else_is_named(claim, complaint):
    with pytest.raises(BadInput) as error:
        verdict(evidence(RISING), **claim)
    assert complaint in str(error.value)


def test_what_table_i_of_ito_says_of_its_sentences():
    """Recomputed without the package: standard errors of proportions of 6,000 pairs."""
    claims, numbers = read_claims(CLAIMS / "ito2021.yaml"), read_table(CLAIMS / "ito2021_table1.csv")
    found = judge(claims, numbers)
    verdicts = [one.verdict for one in found]
    assert verdicts == [
        "supported",
        "not resolved",
        "contradicted",
        *["not resolved"] * 3,
        "supported",
        "not resolved",
        "supported",
    ]
    assert all(one.agreeing == len(one.steps) for one in (*found[:2], *found[3:8]))  # every printed number agrees
    assert (found[2].agreeing, found[8].agreeing) == (0, 9)
    accuracy = {tuple(cell.values()): value for cell, value in zip(numbers[0].cells, numbers[0].contrasts.means, strict=True)}
    one, other = accuracy["resnet34", "mtcnn", "none"], accuracy["alexnet", "mtcnn", "none"]
    z = (one - other) / np.sqrt((one * (1 - one) + other * (1 - other)) / 6000)
    step = next(
        step
        for step in found[1].steps
        if step.name.startswith("backbone=resnet34") and step.name.endswith("mtcnn, pretraining=none")
    )
    assert step.value / ((step.estimate.high - step.estimate.low) / 2 / 1.959964) == pytest.approx(z, rel=1e-6)
    assert z < 1  # the 0.15 points between them are no evidence
