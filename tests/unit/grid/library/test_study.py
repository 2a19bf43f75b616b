"""``Study.effects()`` and ``Study.compare()``, and cells that have only a part of their pairs in common."""

import numpy as np
import pyarrow.parquet as pq
import pytest

import facegrid as fg
from grid.results.rows import table
from modules.metrics.roc import Curve

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}


@pytest.fixture
def record(make_study):
    return make_study(axes=AXES, pairs=120, explainers=())


def values(record, key="auc"):
    shown = table(record)
    column = next(one for one in shown.columns if one.key == key)
    return {tuple(row.cell.levels.values()): row.value(column).value for row in shown.rows}


def test_effects_are_differences_from_the_mean(record):
    frame = fg.Study(record.path).effects()
    auc = frame[(frame.metric == "auc") & (frame.term == "detection")].set_index("level")
    found = values(record)
    mean = np.mean(list(found.values()))
    assert auc.effect["mtcnn"] == pytest.approx(np.mean([found["alexnet", "mtcnn"], found["resnet34", "mtcnn"]]) - mean)
    assert auc.effect.sum() == pytest.approx(0)
    assert (auc.items_low < auc.effect).all()
    assert (auc.effect < auc.items_high).all()
    assert auc.seeds_low.isna().all()  # one training per cell
    assert set(frame.term) == {"backbone", "detection", "backbone x detection"}


def test_comparisons_are_of_every_two_cells_the_better_first(record):
    frame = fg.Study(record.path).compare()
    auc = frame[frame.metric == "auc"]
    found = {", ".join(levels): value for levels, value in values(record).items()}
    assert len(auc) == 6
    for row in auc.itertuples():
        assert row.difference == pytest.approx(found[row.better] - found[row.other])
        assert row.difference >= 0
        assert row.low < row.difference < row.high
        assert row.adjusted >= row.p
    assert (auc.margin == 0.01).all()


def test_a_wider_margin_makes_equivalence_easier(record):
    study = fg.Study(record.path)
    narrow, wide = (study.compare(margin=margin) for margin in (0.01, 0.5))
    assert (wide.equivalent <= narrow.equivalent).all()
    assert (wide.equivalent < 0.05).any()
    with pytest.raises(ValueError, match="margin 0"):
        study.compare(margin=0)


def test_cells_with_a_part_of_their_pairs_in_common_are_compared_on_these(record):
    """One cell lost its 30 hardest genuine pairs, which must not make it better than the others."""
    cell = next(one for one in record.cells if tuple(one.levels.values()) == ("alexnet", "none"))
    file = record.ledger.path(cell.markers["evaluate:lfw view 2"], "scores.parquet")
    whole = pq.read_table(file)
    scores, same = whole["score"].to_numpy(), whole["same"].to_numpy()
    kept = np.ones(len(scores), bool)
    kept[np.flatnonzero(same)[np.argsort(scores[same])[:30]]] = False
    pq.write_table(whole.filter(kept), file)
    marker = next(file.parent.parent.glob("done-*.json"))
    _accept(record, marker, file)
    study = fg.Study(record.path)
    auc = study.compare()
    auc = auc[auc.metric == "auc"]
    others = {", ".join(one.levels.values()): pq.read_table(one_file(record, one)) for one in record.cells}
    for row in auc.itertuples():
        sides = [others[name] for name in (row.better, row.other)]
        found = []
        for side in sides:
            mine = side if len(side) == kept.sum() else side.filter(kept)
            found.append(Curve.of(mine["score"].to_numpy(), mine["same"].to_numpy()).auc())
        assert row.difference == pytest.approx(found[0] - found[1])


def one_file(record, cell):
    return next((record.path / "store").glob(f"evaluate/{cell.stages['evaluate:lfw view 2']}/*/scores.parquet"))


def _accept(record, marker, file):
    """Writes the digest of the changed file into the stage's marker, as if it had been computed so."""
    import hashlib
    import os

    from grid.ledger.sealed import seal, unseal

    found = unseal(marker.read_bytes(), marker)
    data = file.read_bytes()
    found["outputs"]["scores.parquet"] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    os.chmod(marker, 0o644)
    marker.write_bytes(seal(found))
