import base64
import json

import numpy as np
import pytest

from grid.report.build import build
from grid.report.view import pack, view
from grid.results import rows

TITLES = ("gradcam", "gbp", "reconstruction")


@pytest.fixture
def study(make_study):
    return make_study(axes={"backbone": ["alexnet", "efficientnet_b1"]}, pairs=60, images=3, explainers=TITLES)


def decoded(data, entry, image):
    raw = np.frombuffer(base64.b64decode(data["blobs"][entry["maps"][str(image)][1]]), "<f2").astype(np.float64)
    return raw.reshape(entry["shape"]) * entry["peak"]


def test_every_map_comes_out_as_it_was_within_half_precision(study):
    table = rows.table(study).rows
    data = json.loads(view(study, table).data)
    seen = 0
    for entry in data["entries"]:
        if "refused" in entry:
            continue
        title, _, name = entry["title"].partition(" ")
        marker = table[entry["cell"]].markers[f"explain:{title}"]
        file = {"S+": "maps-1.npy", "S-": "maps-2.npy"}.get(name, "maps.npy")
        raw = np.load(study.ledger.path(marker, file))
        for place, image in enumerate(sorted(int(key) for key in entry["maps"])):
            assert np.abs(decoded(data, entry, image) - raw[place]).max() <= entry["peak"] / 2048
            seen += 1
        assert entry["high"] == pytest.approx(float(raw.max()))
    assert seen == 2 * 3 + 1 * 3 + 2 * 3 * 6


def test_tiny_and_huge_numbers_survive():
    for factor in (1e-12, 1e12):
        raw = (np.linspace(-1, 1, 9).reshape(3, 3) * factor).astype(np.float32)
        peak = float(np.abs(raw).max())
        back = np.frombuffer(base64.b64decode(pack(raw, peak)), "<f2").astype(np.float64).reshape(3, 3) * peak
        assert np.abs(back - raw).max() <= peak / 2048
    assert not np.frombuffer(base64.b64decode(pack(np.zeros((2, 2), np.float32), 0.0)), "<f2").any()


def test_a_refusal_is_there_under_every_name_that_other_cells_have(study, monkeypatch):
    read = study.ledger.json

    def refusing(marker, name):
        found = read(marker, name)
        if marker.id == study.cells[0].stages["explain:reconstruction"]:
            found = {"refused": {"code": "no_decoder", "reason": "no decoder"}, "images": found["images"]}
        return found

    monkeypatch.setattr(study.ledger, "json", refusing)
    data = json.loads(view(study, rows.table(study).rows).data)
    refused = [(entry["cell"], entry["title"], entry["maps"]) for entry in data["entries"] if "refused" in entry]
    assert refused == [*((0, f"reconstruction {name}", {}) for name in ("S", "S+", "S-")), (1, "gbp", {})]
    assert data["methods"] == ["gradcam", "gbp", "reconstruction S", "reconstruction S+", "reconstruction S-"]


def test_crops_that_cells_have_in_common_are_there_once(study):
    data = json.loads(view(study, rows.table(study).rows).data)
    crops = {pair[0] for entry in data["entries"] for pair in entry["maps"].values()}
    assert len(crops) <= 3 + 6
    assert len(data["blobs"]) == len(set(data["blobs"]))


def test_beyond_the_budget_images_are_left_out_and_pairs_stay_whole(study):
    table = rows.table(study).rows
    whole = view(study, table)
    assert (whole.shown, whole.images) == (9, 9)
    sizes = []
    for budget in range(0, len(whole.data), len(whole.data) // 12):
        part = view(study, table, budget=budget)
        data = json.loads(part.data)
        assert sum(map(len, data["blobs"])) <= budget
        assert part.shown == len(data["images"])
        assert all(len(entry["maps"]) <= part.shown for entry in data["entries"])
        pairs = [image["pair"] for image in data["images"] if "pair" in image]
        assert all(pairs.count(pair) == 2 for pair in pairs)
        sizes.append(part.shown)
    assert sizes == sorted(sizes)
    assert sizes[0] == 0 < sizes[-1] <= 9
    assert len(set(sizes)) > 3


def test_the_page_says_what_was_left_out_and_where_it_is(study, monkeypatch):
    from grid.report import build as building

    monkeypatch.setattr(building, "view", lambda *args: view(*args, budget=60_000))
    text = build(study).read_text()
    assert "of 9 images are inside this page" in text
    assert str(study.ledger.store.local("")).rstrip("/") in text


def test_a_study_without_explanations_has_no_such_section(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    assert view(study, rows.table(study).rows) is None
    text = build(study).read_text()
    assert 'id="view"' not in text
    assert "#view" not in text


def test_a_pair_that_was_refused_says_why_and_is_not_called_no_probe(study, monkeypatch):
    read = study.ledger.json

    def refusing(marker, name):
        found = read(marker, name)
        if marker.id == study.cells[0].stages["explain:reconstruction"]:
            found["notes"]["refused_pairs"] = [{"pair": 2, "code": "impostor_pair", "reason": "two subjects"}]
        return found

    monkeypatch.setattr(study.ledger, "json", refusing)
    data = json.loads(view(study, rows.table(study).rows).data)
    without = [(entry["cell"], entry["title"], entry["without"]) for entry in data["entries"] if "without" in entry]
    assert without == [(0, f"reconstruction {name}", {"2": "impostor_pair: two subjects"}) for name in ("S", "S+", "S-")]


def test_images_of_a_methods_own_take_the_place_of_the_crops(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2, explainers=("gradcam", "activation_maximization"))
    data = json.loads(view(study, rows.table(study).rows).data)
    plain, painted = data["entries"]
    assert (plain.get("painted"), painted["painted"]) == (None, True)
    assert {pair[0] for pair in plain["maps"].values()}.isdisjoint(pair[0] for pair in painted["maps"].values())
    assert '"painted"' in build(study).read_text().replace("&#34;", '"')
