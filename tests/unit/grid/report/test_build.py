import json
import re
from html.parser import HTMLParser

import pytest
from invented_study import build_study

from grid.ledger.study import Study
from grid.report import build as building
from grid.report.build import build
from grid.spec.grid_file import BadInput

EVIL = "<script>alert('x')</script>\"'&"
FILES = {
    "index.html", "modes.md", "table.md", "table.csv", "table.tex", "results.csv", "report.json", "sheet-gradcam.png",
    "sheet-gbp.png", "trend-lfw-view-2-by-operations-of-the-network.png", "analysis.md", "effects.csv",
    "comparisons.csv", "operating_points.md",
    "operating_points.csv", "operating_points.tex", "components.csv", "components.tex", "hard_pairs.csv",
}  # fmt: skip


class Seen(HTMLParser):
    """Tags, their attributes and the visible text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three finished cells and a failed one; tests only read it and its ``page``."""
    axes = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
    failed = [{"backbone": "resnet34", "detection": "mtcnn"}]
    return build_study(tmp_path_factory.mktemp("built") / "ito2021", axes=axes, pairs=100, images=2, failed=failed)


@pytest.fixture(scope="module")
def page(study):
    return build(study)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of two finished cells; tests only read it."""
    axes = {"backbone": ["alexnet", "resnet34"]}
    return build(build_study(tmp_path_factory.mktemp("whole") / "whole", axes=axes, pairs=60, explainers=()))


def test_a_report_has_all_its_files(study, page):
    assert page == study.path / "report" / "index.html"
    cells = {f"cell-{'-'.join(cell.levels.values())}.png" for cell in study.cells if cell.state == "done"}
    assert len(cells) == 3
    assert {path.name for path in page.parent.iterdir()} == FILES | cells


def test_the_page_names_the_design_and_what_it_cannot_tell_apart(make_study, whole):
    lines = ["design fractional: 4 of 8 combinations, resolution 3: size = rate x flip", "aliased: rate = flip x size"]
    product = whole.read_text()
    fraction = build(make_study(axes={"backbone": ["alexnet"]}, protocols=(), design=lines, explainers=())).read_text()
    assert "Design product: every combination of the levels." in product
    assert "cannot tell apart" not in product
    assert "Design fractional: 4 of 8 combinations, resolution 3: size = rate x flip." in fraction
    assert "<li>Aliased: rate = flip x size.</li>" in fraction


def test_equal_studies_give_equal_bytes(study, page):
    first = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    again = build(Study(study.path), study.path / "again").parent
    assert {path.name: path.read_bytes() for path in again.iterdir()} == first


def test_the_page_asks_for_nothing_from_outside(page):
    seen = Seen(page.read_text())
    places = [value for _, key, value in seen.attributes if key in ("src", "href", "srcset", "action", "data")]
    assert places
    assert all(place.startswith(("data:", "#")) for place in places)
    assert not re.search(r"url\(|@import", (building.Path(building.__file__).parent / "page.css").read_text())


def test_what_users_write_is_text_on_the_page(make_study):
    study = make_study(
        "evil", axes={EVIL: [EVIL, "other", "third"]}, protocols=(EVIL,), explainers=(EVIL,), pairs=60,
        error=EVIL, because=EVIL, failed=[{EVIL: "other"}], skipped=[{EVIL: "third"}],
    )  # fmt: skip
    page = build(study)
    text = page.read_text()
    assert text.count("<script>") == 2  # the page's own
    seen = Seen(text)
    assert seen.tags.count("script") == 3  # with the numbers of the charts
    assert EVIL in seen.text
    assert {path.name for path in page.parent.iterdir() if path.suffix == ".png"} == {"sheet-script-alert-x-script.png"}


def test_a_partial_report_says_so_and_names_what_failed(make_study):
    study = make_study(
        failed=[{"backbone": "alexnet", "detection": "none"}], unfinished=[{"backbone": "resnet34"}], pairs=60, images=2,
        skipped=[{"backbone": "efficientnet_b1", "detection": "none"}],
        hidden=[{"detection": "mtcnn", "pretraining": "imagenet"}],
    )  # fmt: skip
    text = Seen(build(study).read_text()).text
    assert "Partial report." in text
    assert "train: RuntimeError: the loss of batch 17 is NaN" in text
    assert 'File "fitting.py", line 7, in fit' in text
    assert "nobody published such weights" in text
    assert "3 left the grid file and are not shown" in text


def test_a_whole_report_does_not_call_itself_partial(whole):
    text = Seen(whole.read_text()).text
    assert "Partial" not in text
    assert "What is missing" not in text


@pytest.mark.parametrize("state", ["failed", "unfinished", "skipped", "blocked"])
def test_a_study_without_any_result_has_a_report(make_study, state):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, **{state: [{}]})
    text = Seen(build(study).read_text()).text
    assert f"2 {state}" in " ".join(text.split())


def test_a_study_without_axes_or_protocols_has_a_report(make_study):
    assert "the only cell" in Seen(build(make_study(axes={}, protocols=(), explainers=())).read_text()).text


def test_faces_that_were_not_found_are_counted_for_every_protocol(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    text = build(study).read_text()
    assert "17 without a face" in text
    assert "lfw view 2: 5 without a face" not in text
    study.cells[0].markers["evaluate:lfw view 2"].facts["missing_faces"] = 5
    assert "evaluate:lfw view 2: 5 without a face" in build(study).read_text()


def test_replicates_say_what_they_repeat(make_study):
    study = make_study(axes={"replicate": ["0", "1", "2"]}, pairs=60, explainers=())
    assert "3 replicates repeat train:" in Seen(build(study).read_text()).text


@pytest.mark.slow
def test_every_damaged_output_is_told_and_none_stops_the_report(make_study):
    """Each time a different output of each cell."""
    study = make_study(axes={"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}, pairs=60, images=2)
    names = [(label, name) for label, marker in study.cells[0].markers.items() for name in marker.outputs]
    assert len(names) > 8
    for together in (names[first : first + 4] for first in range(0, len(names), 4)):
        whole = {}
        for cell, (label, name) in zip(study.cells, together, strict=False):
            path = study.ledger.path(cell.markers[label], name)
            whole[path] = path.read_bytes()
            path.write_bytes(whole[path][: len(whole[path]) // 2])
        text = Seen(build(Study(study.path)).read_text()).text
        for label, name in together:
            assert re.search(rf"{re.escape(label)}: \S*{re.escape(name)} (has|is) ", text), (label, name)
        for path, data in whole.items():
            path.write_bytes(data)


def test_an_error_leaves_the_earlier_report_as_it_was(make_study, monkeypatch):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2)
    folder = build(study).parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def broken(*_, **_more):
        raise RuntimeError("no ink")

    monkeypatch.setattr(building, "page", broken)
    with pytest.raises(RuntimeError, match="no ink"):
        build(study)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_sheets_of_gone_explainers_leave_and_other_files_stay(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2, explainers=("gradcam",))
    folder = study.path / "report"
    folder.mkdir()
    for kind in ("sheet", "cell", "pairs", "maps", "theta"):
        (folder / f"{kind}-old.png").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    build(study)
    assert not list(folder.glob("*-old.png"))
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_report_without_faces_has_none_of_them(make_study):
    """Every image of the page and every sheet is another one; tables are the same."""
    study = make_study(axes={"backbone": ["resnet34"]}, pairs=60, explainers=("gradcam", "pair_occlusion"))
    shown = build(study)
    hidden = build(Study(study.path, faces=False), study.path / "hidden")
    generated = [set(re.findall(r"/9j/[A-Za-z0-9+/=]+", page.read_text())) for page in (shown, hidden)]
    assert generated[0]
    assert generated[1]
    assert not generated[0] & generated[1]
    names = [sorted(path.name for path in page.parent.iterdir()) for page in (shown, hidden)]
    assert names[0] == names[1]
    same = [name for name in names[0] if (shown.parent / name).read_bytes() == (hidden.parent / name).read_bytes()]
    assert {"table.md", "report.json"} <= set(same)
    assert not [name for name in same if name.endswith(".png") and not name.startswith("theta")]


def test_files_of_a_folder_that_had_no_report_stay(make_study, tmp_path):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    names = ("claims.md", "attributes.md", "explanations.bib", "trend-of-mine.png")
    for name in names:
        (tmp_path / name).write_text("mine", encoding="utf-8")
    build(study, out=tmp_path)
    assert [(tmp_path / name).read_text(encoding="utf-8") for name in names] == ["mine"] * 4
    assert (tmp_path / "report.json").exists()


def test_a_folder_that_cannot_be_written_is_one_line_that_names_the_way_out(make_study, tmp_path):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=1)
    (study.path / "report").write_text("a file where the folder should be")
    with pytest.raises(BadInput, match=r"^\S+report: the report cannot be written here \(File exists\).* --to FOLDER") as error:
        build(study)
    assert "\n" not in str(error.value)
    assert build(study, tmp_path / "elsewhere").read_text()
    with pytest.raises(BadInput, match="cannot be written here"):
        build(study, tmp_path / "elsewhere" / "index.html" / "deeper")


def test_the_provenance_names_where_stages_were_computed(whole):
    assert "<dt>2 stages on</dt><dd>device NVIDIA H100, torch 2.11.0</dd>" in whole.read_text(encoding="utf-8")
    found = json.loads(whole.with_name("report.json").read_text(encoding="utf-8"))["environments"]
    assert found == [{"stages": 2, "device": "NVIDIA H100", "torch": "2.11.0"}]
