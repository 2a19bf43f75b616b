"""The table of networks in the docs says what the networks are."""

from pathlib import Path

import pytest
import yaml

from configs.lookup import known, resolve
from modules.model_complexity import count
from modules.shape_inference import forward_pass, on_meta

DOC = Path(__file__).resolve().parents[2] / "docs/networks.md"
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in DOC.read_text().splitlines()
    if line.startswith("| `") and line.count("|") == 8
]


def measured(backbone: str, head: str, size: str) -> list[str]:
    """The row that these three columns make."""
    parts = [resolve(kind, yaml.safe_load(text.strip("`"))) for kind, text in (("backbone", backbone), ("head", head))]
    sides = tuple(int(side) for side in size.split(" x "))
    pixels = sides if len(sides) == 2 else (sides[0], sides[0])
    counted = count(*parts, resolve("loss", "softmax"), 2, pixels)
    stage, shape = list(forward_pass(parts[0], pixels).stages.items())[-1]
    own = sum(parameter.numel() for parameter in on_meta(parts[0]).parameters())
    last = f"{stage} ({shape[0]}, {shape[1]}, {shape[2]})"
    return [backbone, head, size, last, f"{own:,}", f"{counted.parameters:,}", f"{counted.flops / 1e9:.3f}"]


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row[:3]) for row in ROWS])
def test_a_row_of_the_table_is_what_is_counted(row: list[str]) -> None:
    found = measured(*row[:3])
    print("|", " | ".join(found), "|")
    assert found == row


def test_every_backbone_and_head_is_in_the_table() -> None:
    for place, kind in ((0, "backbone"), (1, "head")):
        shown = {resolve(kind, yaml.safe_load(row[place].strip("`"))).name for row in ROWS}
        assert shown == set(known(kind)) - {"external", "scored", "stored"}  # files of the user
