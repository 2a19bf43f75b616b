"""What is said of explanations that were asked of a finished study."""

from typing import Any

import pytest

from configs.lookup import resolve
from grid.explain.of_study import fewer


@pytest.mark.parametrize(
    ("asked", "images", "said"),
    [
        ({"images": 8}, 8, None),
        ({"images": 8}, 6, "6 of 8 images: one held-out image of each subject"),
        ({"pairs": 4}, 8, None),
        ({"pairs": 9}, 8, "4 of 9 pairs: the protocol has no more of a kind"),
    ],
)
def test_fewer_probes_than_were_asked_for_are_told(asked: dict[str, Any], images: int, said: str | None) -> None:
    explainer: Any = resolve("explainer", {"name": "gradcam", **asked})
    assert fewer(explainer, {"images": images}) == said
