"""Worst pairs, cohorts and explanations of a judgment."""

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from onnx_networks import network, save
from rich.console import Console

from configs.lookup import resolve
from grid.judge.judge import GRID, Request, judge
from grid.judge.networks import judged, titled
from grid.judge.panels import FEW, explainers, worst_pairs
from grid.judge.preprocessing import Preprocessing
from grid.ledger.study import Study
from grid.spec.grid_file import read
from grid.spec.stage_name import EVALUATE, StageName

PROTOCOL = {"name": "drawn", "subjects": 12, "shots": 6, "folds": 4}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("panels")
    files = [save(folder / f"{seed}.onnx", network(dimension=8, seed=seed)) for seed in (0, 1)]
    networks = titled([judged(path, Preprocessing(faces="none")) for path in files])
    stated = frozenset({"order", "range", "faces"})
    found, _, done = judge(
        Request(tuple(networks), [PROTOCOL], folder / "study", stated, explained=1), Console(file=io.StringIO())
    )
    assert done
    return found


def scores(study: Study, place: int) -> Any:
    marker = study.cells[place].markers[StageName(EVALUATE, "drawn")]
    return pq.read_table(study.ledger.path(marker, "scores.parquet")).to_pandas()


@pytest.mark.slow
def test_the_report_has_worst_pairs_cohorts_and_explanations(study: Study) -> None:
    spec = read(study.path / GRID).spec
    pairs, cohorts = spec.stages
    assert pairs == {"name": "worst_pairs", "label": "worst pairs of drawn", "protocol": "drawn"}
    impostors = int((~scores(study, 0).same).sum())
    assert (cohorts["name"], cohorts["far"]) == ("differentials", pytest.approx(FEW / impostors))
    page = (study.path / "report" / "index.html").read_text(encoding="utf-8")
    for words in ("worst pairs of drawn", "most_similar_impostor_pairs", "cohorts of drawn", 'id="roc"', "DET"):
        assert words in page
    assert list((study.path / "report").glob("sheet-*.png"))


def test_the_worst_pairs_of_each_network_are_explained_once(study: Study) -> None:
    (explainer,) = read(study.path / GRID).spec.explainers
    wanted: dict[tuple[str, str], None] = {}
    for place in (0, 1):
        table = scores(study, place)
        impostor, genuine = (table[table.same == same].sort_values("score") for same in (False, True))
        for row in (impostor.iloc[-1], genuine.iloc[0]):
            wanted[row.left, row.right] = None
    chosen = explainer["chosen"]
    assert list(zip(chosen[::2], chosen[1::2], strict=True)) == list(wanted)
    assert explainer["pairs"] == len(wanted)
    assert explainers(study, 1) == [explainer]


def test_protocols_without_pairs_have_no_worst_pairs_and_no_explanations(tmp_path: Path) -> None:
    protocol = {"name": "all_pairs", "data": {"name": "drawn", "subjects": 4, "shots": 3}}
    resolved: Any = resolve("protocol", protocol)
    assert worst_pairs([resolved]) == []
    one = judged(save(tmp_path / "0.onnx", network(dimension=8)), Preprocessing(faces="none"))
    stated, said = frozenset({"order", "range", "faces"}), io.StringIO()
    _, _, done = judge(Request((one,), [protocol], tmp_path / "study", stated, explained=1), Console(file=said))
    assert done
    assert "no explanations: no protocol has pairs of images" in said.getvalue()
