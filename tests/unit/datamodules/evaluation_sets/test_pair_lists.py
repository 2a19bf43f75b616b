import pytest

from datamodules.evaluation_sets.pair_lists import rows_of
from datamodules.list_readers.lfw import PairList
from datamodules.manifest import Manifest


@pytest.fixture
def manifest():
    keys = ("a/1", "a/2", "b/1", "c/1")
    return Manifest(keys, ("a", "a", "b", "c"), (1,) * 4, (1,) * 4, ("",) * 4, {"d/1": "truncated"})


def listed(path, *rows):
    left, right, same = zip(*rows, strict=True)
    return PairList(path / "list.txt", left, right, same, tuple(range(len(rows))), tuple(range(1, len(rows) + 1)))


def test_pairs_of_all_lists_are_rows(tmp_path, manifest):
    found = rows_of([listed(tmp_path, ("a/2", "a/1", True)), listed(tmp_path, ("b/1", "a/1", False))], manifest, "refuse")
    assert (found.left.tolist(), found.right.tolist(), found.same.tolist(), found.fold.tolist()) == (
        [1, 2],
        [0, 0],
        [True, False],
        [0, 0],
    )


@pytest.mark.parametrize(("key", "why"), [("d/1", "was skipped: truncated"), ("e/1", "is not in the dataset")])
def test_an_absent_image_is_named_with_its_line(tmp_path, manifest, key, why):
    rows = ("a/1", "a/2", True), ("a/1", key, False)
    with pytest.raises(
        ValueError, match=rf"list\.txt, line 2: names the image {key}, which {why}.*called a/1.*1 of 3 images are absent"
    ):
        rows_of([listed(tmp_path, *rows)], manifest, "refuse")


def test_labels_that_contradict_the_names_are_refused_dropped_or_believed(tmp_path, manifest):
    found = [listed(tmp_path, ("a/1", "a/2", True), ("a/1", "b/1", True), ("a/1", "c/1", False))]
    with pytest.raises(ValueError, match=r"line 2: calls a and b one subject; 1 of 3 pairs contradict"):
        rows_of(found, manifest, "refuse")
    assert rows_of(found, manifest, "drop").fold.tolist() == [0, 2]
    assert rows_of(found, manifest, "keep").same.tolist() == [True, True, False]
