import json
import re
from pathlib import Path

import numpy as np
import pytest
from human_studies import bundle

from grid.human_study.answers import Answers
from grid.human_study.design import DESIGN, Design, Inclusion, read_design
from grid.human_study.raters import Raters
from grid.human_study.report import console_table, verdict, write_report


def answered(folder: Path, design: Design, people: int, gain: float) -> None:
    """Simulated people answer everything."""
    answers = Answers(folder, design)
    joined = [answers.participant(answers.join()) for _ in range(people)]
    gains = np.array([gain if one is not None and one.letter == "A" else 0.0 for one in joined])
    choices = Raters().choices(design.same, gains, np.random.default_rng(0))
    place = {pair.id: number for number, pair in enumerate(design.pairs)}
    for one, given in zip(joined, choices, strict=True):
        assert one is not None
        for number in (1, 2):
            for pair in one.orders[number - 1]:
                answers.store(one, number, pair, int(given[number - 1, place[pair]]), 800)
    answers.close()


def test_page_and_json_have_the_numbers_and_need_no_network(tmp_path: Path) -> None:
    design = bundle(tmp_path, pairs=24, inclusion=Inclusion(low=0.7))
    answered(tmp_path, design, 24, 0.2)
    found, page = write_report(tmp_path, tmp_path / "report")
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count('<img src="data:image/png') == 6
    facts = json.loads((tmp_path / "report" / "analysis.json").read_text())
    assert facts["samples"][0]["participants"] == 24
    for line in facts["samples"][0]["groups"]:
        assert f"{100 * line['mean']:.2f} %" in text
    assert "84.14 ± 1.13" in text
    assert facts["samples"][0]["benefit"]["contrasts"][0]["first"] == "A"
    assert verdict(found.samples[0]) in "\n".join(console_table(found))
    assert "gain differently" in verdict(found.samples[0])


def test_the_keyboard_reaches_each_table_by_its_name(tmp_path: Path) -> None:
    """A wide table scrolls, and arrow keys scroll only what has the focus."""
    design = bundle(tmp_path, pairs=4)
    answered(tmp_path, design, 3, 0.0)
    found, page = write_report(tmp_path, tmp_path / "report")
    regions = re.findall(r'<div class="scroll"([^>]*)>', page.read_text())
    (shown,) = [sample for sample in found.samples if sample.lines]
    assert regions == [f' tabindex="0" role="region" aria-label="Accuracy of {shown.title}"']


def test_markup_in_a_name_stays_text(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=4)
    file = tmp_path / DESIGN
    file.write_text(file.read_text().replace('"name": "invented"', '"name": "<script>alert(1)</script>"', 1))
    answered(tmp_path, read_design(tmp_path), 3, 0.0)
    _, page = write_report(tmp_path, tmp_path / "report")
    assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()


@pytest.mark.parametrize("people", [0, 1, 3])
def test_few_people_give_a_page_too(tmp_path: Path, people: int) -> None:
    design = bundle(tmp_path, pairs=4)
    answered(tmp_path, design, people, 0.0)
    found, page = write_report(tmp_path, tmp_path / "report")
    assert found.samples[0].benefit is None
    assert "No test:" in (page.read_text() if people else verdict(found.samples[0]))


def test_genuine_pairs_alone_have_no_signal_detection_measures(tmp_path: Path) -> None:
    bundle(tmp_path, pairs=4)
    (tmp_path / DESIGN).write_text((tmp_path / DESIGN).read_text().replace('"same": false', '"same": true'))
    answered(tmp_path, read_design(tmp_path), 3, 0.0)
    found, page = write_report(tmp_path, tmp_path / "report")
    (line, *_) = json.loads((tmp_path / "report" / "analysis.json").read_text())["samples"][0]["groups"]
    assert (line["d_prime"], line["criterion"], line["auc"]) == (None, None, None)
    assert "nan" not in "\n".join(console_table(found))
    assert "nan" not in re.sub(r'"data:[^"]*"', "", page.read_text())
