"""Files of claims: what they may say, and the one line where they cannot."""

import pytest

from grid.analysis.claims import read_claims
from grid.spec.grid_file import BadInput

GOOD = """
source: a paper
claims:
  - claim: detection helps
    metric: auc
    order: [{detection: mtcnn}, {detection: [none, 160]}]
    for_each: [backbone]
  - {claim: most errors are small, metric: eer, below: 0.1, cells: most}
"""


def read(tmp_path, text):
    file = tmp_path / "claims.yaml"
    file.write_text(text)
    return read_claims(file)


def test_levels_are_text_and_one_level_is_a_list(tmp_path):
    found = read(tmp_path, GOOD)
    assert found.claims[0].order == ({"detection": ["mtcnn"]}, {"detection": ["none", "160"]})
    assert (found.source, found.claims[1].cells, found.claims[1].below) == ("a paper", "most", 0.1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "is a mapping with source and claims; found list"),
        ("claims: [{claim: a, order: [{a: b}]}]", "an order has two sets of cells or more"),
        ("claims: [{claim: a}]", "a claim has one of order, below and above"),
        ("claims: [{claim: a, below: 1, above: 0}]", "a claim has one of order, below and above"),
        ("claims: [{claim: a, below: 1, for_each: [b]}]", "for_each repeats an order"),
        ("claims:\n- {claim: a, order: [{a: b}, {a: c}], cells: most}", "cells counts those below or above a limit"),
        ("claims:\n- claim: a\n  bellow: 1", ":3: unknown key 'claims.0.bellow'"),
        ("claims:\n- below: 1", ":2: key 'claims.0.claim' is needed"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path, text, complaint):
    with pytest.raises(BadInput) as error:
        read(tmp_path, text)
    assert complaint in str(error.value)
    assert str(tmp_path / "claims.yaml") in str(error.value)
    assert "\n" not in str(error.value)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.yaml: no such file of claims"):
        read_claims(tmp_path / "nowhere.yaml")
