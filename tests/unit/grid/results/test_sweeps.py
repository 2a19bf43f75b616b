"""Sweeps of a study: which protocols belong together, and their columns."""

import json

import pytest

from grid.ledger.study import Study
from grid.results import rows

PLAIN, OTHER = "lfw", "agedb"
SWEPT = {10.0: "lfw jpeg quality 10", 90.0: "lfw jpeg quality 90"}


@pytest.fixture
def swept(make_study):
    """``swept(axes)``: a study of LFW, of LFW by JPEG quality, and of another protocol."""

    def make(axes: dict[str, list[str]], plain: bool = True) -> Study:
        titles = [*([PLAIN] if plain else []), *SWEPT.values(), OTHER]
        study = make_study(axes=axes, pairs=60, protocols=titles, explainers=())
        record = json.loads((study.path / "plan.json").read_text())
        for cell in record["cells"]:
            for protocol in cell["config"]["protocols"]:
                for value, title in SWEPT.items():
                    if protocol["label"] == title:
                        protocol["transforms"] = [{"name": "jpeg", "quality": int(value)}]
                        protocol["sweep_point"] = {"of": PLAIN, "key": "jpeg.quality", "value": value}
        (study.path / "plan.json").write_text(json.dumps(record))
        return Study(study.path)

    return make


def test_protocols_of_a_sweep_have_columns_of_their_own(swept):
    table = rows.table(swept({"backbone": ["alexnet", "resnet34"]}))
    (sweep,) = table.sweeps
    assert (sweep.title, sweep.setting, sweep.plain) == ("lfw by jpeg quality", "jpeg quality", PLAIN)
    assert sweep.protocols == SWEPT
    assert sweep.lines == [("unchanged", "lfw"), ("10", "lfw jpeg quality 10"), ("90", "lfw jpeg quality 90")]
    assert table.protocols == [PLAIN, OTHER]
    assert {column.protocol for column in sweep.columns} == {PLAIN}
    assert {column.protocol for column in table.every_column} == {PLAIN, OTHER, *SWEPT.values()}


def test_a_value_is_that_of_its_protocol(swept):
    table = rows.table(swept({"backbone": ["alexnet"]}))
    (sweep,), (row,) = table.sweeps, table.rows
    eer = next(column for column in sweep.columns if column.key == "eer")
    for protocol in (PLAIN, *SWEPT.values()):
        assert sweep.value(row, protocol, eer).value == row.metrics[protocol]["eer"]["value"]


def test_without_the_plain_protocol_there_is_no_line_of_unchanged_images(swept):
    (sweep,) = rows.table(swept({"backbone": ["alexnet"]}, plain=False)).sweeps
    assert sweep.plain is None
    assert [text for text, _ in sweep.lines] == ["10", "90"]


def test_a_study_without_sweeps_has_none(make_study):
    table = rows.table(make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=()))
    assert table.sweeps == ()
    assert table.every_column == table.columns
