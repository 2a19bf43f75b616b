import json
from pathlib import Path

import pytest
from human_studies import bundle

from grid.human_study.design import TEXTS
from grid.human_study.texts import incomplete, read_texts
from grid.spec.grid_file import BadInput


def test_the_default_texts_give_each_group_an_explanation_and_ask_the_team_to_complete_the_consent(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    texts = read_texts(tmp_path / "bundle", "ABC")
    assert set(texts.maps) == {"A", "B", "C"}
    assert "different" in texts.maps["A"]  # pairwise occlusion shows differences
    assert "Red" in texts.maps["B"]  # signed
    assert any("TO BE COMPLETED" in text for text in texts.consent)
    assert "40 decisions" in texts.consent[0]


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    file = tmp_path / "bundle" / TEXTS
    whole = json.loads(file.read_text())
    with pytest.raises(BadInput, match="maps: no text for group D"):
        read_texts(tmp_path / "bundle", "ABCD")
    for changed, message in (
        ({**whole, "choices": whole["choices"][:4]}, "choices"),
        ({**whole, "tittle": "x"}, "tittle"),
        ({key: whole[key] for key in whole if key != "agree"}, "agree"),
    ):
        file.write_text(json.dumps(changed))
        with pytest.raises(BadInput, match=rf"texts.json: {message}.*known keys: title"):
            read_texts(tmp_path / "bundle", "ABC")
    file.unlink()
    with pytest.raises(BadInput, match="No such file"):
        read_texts(tmp_path / "bundle", "ABC")


def test_a_consent_is_incomplete_until_the_team_has_written_its_paragraph(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle")
    texts = read_texts(tmp_path / "bundle", "ABC")
    assert incomplete(texts)
    *kept, _ = texts.consent
    assert not incomplete(texts.model_copy(update={"consent": (*kept, "The team of the university runs this study.")}))
