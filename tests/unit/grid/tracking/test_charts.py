"""The charts of a saved view: a few chosen ones, and every other group of metrics folded."""

from collections.abc import Callable

import pytest

from grid.ledger.study import Study
from grid.tracking.charts import SECTION, chart_state
from grid.tracking.experiment import columns_of


@pytest.mark.parametrize("seeds", [False, True])
def test_a_view_has_three_to_five_charts_of_factors_and_headline_results(make_study: Callable[..., Study], seeds: bool) -> None:
    axes = {"backbone": ["alexnet"], "detection": ["none"], "replicate": ["0", "1"]}
    study = make_study(axes=axes, pairs=40, explainers=())
    columns = columns_of(study)
    shown = [one for one in columns if one[1].headline]
    state = chart_state(study, shown, columns, seeds)
    charts, sections = state["compareRunCharts"], state["compareRunSections"]
    assert [chart["type"] for chart in charts] == ["PARALLEL", *([] if seeds else ["LINE"]), "BAR", "BAR", "SCATTER"]
    assert charts[0]["selectedParams"] == ["backbone", "detection"]
    assert charts[0]["selectedMetrics"] == ["lfw view 2/accuracy_ten_fold"] == [charts[-1]["yaxis"]["key"]]
    assert len({chart["uuid"] for chart in charts}) == len(charts)
    (first, *others) = sections
    assert (first["name"], first["display"]) == (SECTION, True)
    assert {chart["metricSectionId"] for chart in charts} == {first["uuid"]}
    folded = {section["name"] for section in others if not section["display"]}
    assert folded == {"lfw view 2", "Model metrics", "System metrics", "lfw view 2 over seeds" if seeds else "Learning curves"}


def test_a_study_without_results_has_no_empty_charts(make_study: Callable[..., Study]) -> None:
    study = make_study(axes={"backbone": ["alexnet"]}, unfinished=[{}], explainers=())
    state = chart_state(study, [], [], False)
    assert [chart["type"] for chart in state["compareRunCharts"]] == ["LINE"]
