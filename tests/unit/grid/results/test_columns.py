"""Columns of printed tables."""

from grid.results.columns import Column, units_note


def test_the_note_on_units_names_only_columns_that_the_table_has() -> None:
    eer, auc, age = (
        Column("lfw", "eer", "EER", True, 2),
        Column("lfw", "auc", "AUC", False, 3),
        Column("utkface", "mae", "Age MAE [years]", False, 2),
    )
    assert units_note([eer]) == "in %"
    assert units_note([eer, auc, auc]) == "in %, except AUC"
    assert units_note([auc, eer, age]) == "in %, except AUC, Age MAE [years]"
    gap = Column("utkface", "gap", "Age MAE gap, gender [years]", False, 2)
    assert units_note([gap, auc]) == 'in %, except "Age MAE gap, gender [years]", AUC'
