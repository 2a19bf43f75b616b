from pathlib import Path

import numpy as np
import pytest
from human_studies import bundle

from grid.human_study.design import DESIGN, Inclusion, read_design
from grid.spec.grid_file import BadInput


def test_a_design_is_read_as_it_was_written_and_its_digest_covers_it(tmp_path: Path) -> None:
    design = bundle(tmp_path / "bundle")
    assert read_design(tmp_path / "bundle") == design
    assert read_design(tmp_path / "bundle").digest() == design.digest()
    changed = design.model_copy(update={"threshold": 0.6})
    assert changed.digest() != design.digest()
    assert np.array_equal(design.same, [pair.same for pair in design.pairs])
    assert design.network_correct.mean() == 0.8  # 8 of 10 of either kind: 0.75 is rounded up
    assert design.letters == ("A", "B", "C")


def test_ids_of_pairs_are_random(tmp_path: Path) -> None:
    first, second = bundle(tmp_path / "1"), bundle(tmp_path / "2")
    assert not {pair.id for pair in first.pairs} & {pair.id for pair in second.pairs}


def test_a_damaged_design_is_named_with_its_key(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    file = tmp_path / "bundle" / DESIGN
    file.write_text(file.read_text().replace('"threshold":', '"limit":', 1).replace('"choice"', '"x"'))
    with pytest.raises(BadInput, match=r"design.json: .*(limit|threshold).*make the bundle again"):
        read_design(tmp_path / "bundle")
    with pytest.raises(BadInput, match="no bundle of a human study"):
        read_design(tmp_path)


def test_the_rule_of_inclusion_says_what_it_is() -> None:
    assert Inclusion().everyone
    assert Inclusion().words == "everyone who finished"
    rule = Inclusion(low=0.65, high=0.85, seconds=0.5)
    assert not rule.everyone
    assert "from 65 % to 85 %" in rule.words
    assert "at least 0.5 s" in rule.words
