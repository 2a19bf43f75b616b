"""Saved views of an experiment: which columns, in which order, of which runs."""

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from grid.ledger.study import Study
from grid.tracking.experiment import columns_of
from grid.tracking.views import SHOWN, views


def state_in(text: str) -> Any:
    """The state, as MLflow's pages read it."""
    head, sign, rest = text.partition("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(rest)) if sign and not head else text)


def test_a_long_state_is_compressed_so_that_every_server_stores_it(make_study: Callable[..., Study]) -> None:
    study = make_study(axes={"backbone": ["alexnet"]}, protocols=[f"protocol {n}" for n in range(9)], pairs=40, explainers=())
    found = views(study, columns_of(study))
    assert found["mlflow.sharedViewState.facegrid"].startswith("deflate;")
    assert all(len(text) < 5000 for text in found.values())
    assert "protocol 8" in json.dumps(state_in(found["mlflow.sharedViewState.facegrid"]))


@pytest.mark.parametrize("seeds", [False, True])
def test_a_view_has_factors_then_headline_results_of_the_rows_it_is_about(
    make_study: Callable[..., Study], seeds: bool
) -> None:
    axes = {"backbone": ["alexnet"], **({"replicate": ["0", "1"]} if seeds else {})}
    study = make_study(axes=axes, protocols=("lfw view 1", "lfw view 2"), pairs=400, explainers=())
    found = views(study, columns_of(study))
    state = state_in(found["mlflow.sharedViewState.facegrid"])
    shown = state["selectedColumns"]
    assert shown == state["columnOrder"] == sorted(state["columnWidths"], key=shown.index)
    assert [column for column in shown if column.startswith("params.")] == ["params.`backbone`"] == shown[:1]
    assert (
        state["searchFilter"] == f"tags.`facegrid.kind` = '{'group' if seeds else 'cell'}' and tags.`facegrid.hidden` = 'false'"
    )
    over = [
        f"metrics.`lfw view {view} over seeds/accuracy_ten_fold_{part}`" for view in (1, 2) for part in ("low", "high", "n")
    ]
    assert [column for column in shown if " over seeds/" in column] == (over if seeds else [])
    means = [column for column in shown[1:] if " over seeds/" not in column]
    assert {"metrics.`lfw view 1/accuracy_ten_fold`", "metrics.`lfw view 2/accuracy_ten_fold`"} <= set(means)
    assert len(means) <= SHOWN
    listed = {json.loads(text)["name"]: state_in(json.loads(text)["state"]) for key, text in found.items() if "-" in key}
    assert list(listed) == ["Factors and results", *(["Every seed"] if seeds else []), "What failed"]
    failed = listed["What failed"]
    assert failed["selectedColumns"][-1] == "tags.`facegrid.error`"
    assert "attributes.status = 'FAILED'" in failed["searchFilter"]
    assert listed["Factors and results"] == state
    if seeds:
        assert listed["Every seed"]["selectedColumns"][:2] == ["params.`backbone`", "params.`replicate`"]
        assert "'cell'" in listed["Every seed"]["searchFilter"]
