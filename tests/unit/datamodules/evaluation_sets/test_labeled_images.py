import numpy as np
import pytest

from datamodules.columns import Column
from datamodules.evaluation_sets.labeled_images import LabeledImages


def made(rows: list[int], genders: list[str | None]) -> LabeledImages:
    return LabeledImages(np.array(rows), {"gender": Column.categorical(genders, ["f", "m"])}, None)


def test_the_digest_follows_rows_and_labels() -> None:
    digests = {made([0, 1], ["f", "m"]).digest, made([0, 2], ["f", "m"]).digest, made([0, 1], ["f", None]).digest}
    assert len(digests) == 3
    assert made([0, 1], ["f", "m"]).digest in digests


def test_rows_ascend_and_every_image_has_a_label_or_none() -> None:
    with pytest.raises(AssertionError, match="rows are ascending"):
        made([1, 0], ["f", "m"])
    with pytest.raises(AssertionError, match="one label per image"):
        made([0, 1, 2], ["f", "m"])
