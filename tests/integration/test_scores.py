"""Explanations and their scores: what is computed, what is not computed again, and what is said of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launching import Store, cells, grid, here, runs

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
GAMES = [{"name": name, "shares": [0, 0.5, 1], "resamples": 50} for name in ("hiding_game", "insertion", "deletion")]
SANITY = {"name": "sanity", "depths": 1, "most": 4}
SCORES = [*GAMES, {"name": "pointing", "resamples": 50}, SANITY]
PAIRS = {"pairs": 4, "scores": SCORES}
EXPLAINERS = [
    {"name": "gradcam", "images": 2, "scores": SCORES},
    {"name": "gradcam", "label": "apart", "pair_target": "distance", **PAIRS},
    {"name": "corr_rise", "masks": 40, **PAIRS},
    {"name": "minplus", "width": 16, "stride": 32, **PAIRS},
    {"name": "reconstruction", "pairs": 4, "scores": GAMES[:1]},
    {"name": "stylianou", "pairs": 4},
]


def small(tree: dict[str, Any]) -> None:
    """One cell, all kinds of explainers."""
    tree["axes"] = {"detection": {"none": {"detector.name": "none"}}}
    tree["skip"] = []
    tree["base"]["recipe"]["epochs"] = 1
    tree["protocols"] = [{**tree["protocols"][0], "name": "components.known", "label": "known"}]
    tree["explainers"] = EXPLAINERS
    tree["launch"] = {"executor": "local"}


def also_scored(tree: dict[str, Any]) -> None:
    small(tree)
    tree["explainers"] = [*EXPLAINERS[:-1], {**EXPLAINERS[-1], "scores": ["pointing"]}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Launched once; tests go on from what the ones before them left."""
    folder = tmp_path_factory.mktemp("scored")
    here(folder, "launch", grid(folder / "tiny.yaml", small))
    return folder


def results(folder: Path) -> dict[str, Any]:
    """Label -> score.json."""
    (cell,) = cells(folder / STUDY)
    ledger = Store(folder / STUDY / "store").ledger
    found = {}
    for label, id in cell["stages"].items():
        if label.startswith("score:"):
            marker = ledger.marker("score", id)
            assert marker is not None, label
            found[label.removeprefix("score:")] = ledger.json(marker, "score.json")
    return found


def test_every_method_is_scored_or_says_why_not(folder: Path) -> None:
    found = results(folder)
    assert len(found) == 21
    refused = {label: one["refused"]["code"] for label, one in found.items() if "refused" in one}
    assert refused == {
        "gradcam:pointing": "no_region",
        "reconstruction:hiding_game": "no_maps",
        "minplus:pointing": "no_region",  # genuine pairs alone have maps, and of them nobody knows
    }
    assert set(found["corr_rise:hiding_game"]["maps"]) == {"S+", "S-"}
    assert (found["minplus:hiding_game"]["count"], found["minplus:hiding_game"]["missing"]) == (2, 2)
    assert set(found["apart:deletion"]["maps"][""]) == {"distance"}
    assert found["apart:pointing"]["images"] == 4
    assert found["corr_rise:pointing"]["details"]["area"] == pytest.approx(0.5, abs=0.02)
    assert set(found["gradcam:sanity"]["flags"]) == {""}


def test_a_score_is_that_of_the_maps_that_were_left(folder: Path) -> None:
    """The energy below the middle, from the files of the explanation alone."""
    (cell,) = cells(folder / STUDY)
    ledger = Store(folder / STUDY / "store").ledger
    marker = ledger.marker("explain", cell["stages"]["explain:corr_rise"])
    assert marker is not None
    assert marker.facts["seconds"] > 0
    manifest = ledger.json(marker, "manifest.json")
    impostor = [row for row, image in enumerate(manifest["images"]) if not image["same"]]
    (file,) = (one["file"] for one in manifest["maps"] if one["name"] == "S-")
    maps = np.maximum(np.load(ledger.path(marker, file))[impostor].astype(float), 0)
    assert maps.shape[1:] == (64, 64)
    shares = [one[32:].sum() / one.sum() if one.any() else 0.5 for one in maps]
    said = results(folder)["corr_rise:pointing"]["maps"]["S-"]["energy"]["value"]
    assert said == pytest.approx(np.mean(shares))


def test_mlflow_and_the_report_have_the_scores(folder: Path) -> None:
    ((run,),) = runs(folder / STUDY).values()
    found = results(folder)
    assert (
        run.data.metrics["explanations/corr_rise.hiding_game.S_plus.auc"]
        == found["corr_rise:hiding_game"]["maps"]["S+"]["auc"]["value"]
    )
    assert "facegrid.flags.gradcam.sanity" in run.data.tags
    report = folder / STUDY / "report"
    assert "corr_rise S-" in (report / "explanations.md").read_text().replace("\\", "")
    assert "Explanations, scored" in (report / "index.html").read_text()
    assert len(json.loads((report / "report.json").read_text())["explanations"]) == 21


def test_scores_are_compared_with_the_ground_truth_on_maps_of_the_difference(folder: Path) -> None:
    report = folder / STUDY / "report"
    compared = json.loads((report / "report.json").read_text())["score_trust"]
    assert all(one["compared"] == ["apart", "corr_rise S-"] for one in compared)
    scores = {(*one["truth"], *one["score"]) for one in compared}
    assert ("pointing", "energy", "hiding_game", "auc") in scores
    assert ("pointing", "pointing", "insertion", "distance") in scores
    assert "2 maps are too few to judge a score" in (report / "score_trust.md").read_text()
    assert 'id="trust"' in (report / "index.html").read_text()


def test_launched_again_nothing_runs(folder: Path) -> None:
    before = Store(folder / STUDY / "store").attempts()
    assert "0 stages" in here(folder, "launch", folder / "tiny.yaml")
    assert Store(folder / STUDY / "store").attempts() == before


def test_a_score_that_is_added_is_computed_alone(folder: Path) -> None:
    store = Store(folder / STUDY / "store")
    before = store.attempts()
    here(folder, "launch", grid(folder / "tiny.yaml", also_scored))
    new = {key: count for key, count in store.attempts().items() if before.get(key) != count}
    assert [kind for kind, _ in new] == ["score"]
    assert "maps" in results(folder)["stylianou:pointing"]
