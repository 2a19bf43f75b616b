import json

import numpy as np
import pytest

from datamodules.manifest import Manifest
from datamodules.near_duplicates import Prints
from datamodules.overlap_audit import audit


def manifest(*rows):
    keys, identities, digests = zip(*rows, strict=True)
    return Manifest(keys, identities, (1,) * len(keys), (1,) * len(keys), digests)


def prints(*hashes):
    count = len(hashes)
    return Prints(
        np.array(hashes, np.uint64),
        np.tile(np.arange(256, dtype=np.uint8), (count, 1)),
        np.array([value != 0 for value in hashes]),
    )


TRAIN = manifest(("n1/1", "n1", "aa"), ("n1/2", "n1", "bb"), ("n2/1", "n2", "cc"), ("n3/1", "n3", "dd"), ("n4/1", "n4", "ee"))
EVALUATION = manifest(
    ("José_Ruiz/1", "José_Ruiz", "xx"), ("Bob/1", "Bob", "cc"), ("Eve/1", "Eve", "yy"), ("Eve/2", "Eve", "zz")
)
NAMES = {"n1": "Jose Ruiz", "n2": "Nobody", "n3": "Other"}


@pytest.fixture
def found():
    return audit(TRAIN, EVALUATION, NAMES, None, prints(1, 2, 4, 0xFF00, 0), prints(0xF, 4, 0xFF01, 0), bits=1)


def test_shared_names_files_and_images_are_found(found):
    assert found.names == (("n1", "José_Ruiz", "joseruiz"),)
    assert found.identical.tolist() == [[2, 1]]
    assert found.near.tolist() == [[3, 2]]  # the identical files are not named again
    assert found.distance.tolist() == [1]
    assert found.unhashed == (1, 1)
    assert found.named == (3, 3)
    assert not found.clean


def test_it_says_which_rows_to_remove(found):
    assert found.rows().tolist() == [0, 1, 2, 3]
    assert found.rows(["names"]).tolist() == [0, 1]
    assert found.rows(["near"]).tolist() == [3]
    assert found.rows(side="evaluation").tolist() == [0, 1, 2]
    kept = TRAIN.subset(sorted(set(range(5)) - set(found.rows().tolist())))
    assert audit(kept, EVALUATION, NAMES).clean


def test_the_report_is_json_with_counts_and_examples(found):
    facts = json.loads(json.dumps(found.facts()))
    assert facts["shared_names"] == facts["identical_pairs"] == facts["near_pairs"] == 1
    assert facts["train_rows"] == {"names": 2, "identical": 1, "near": 1}
    assert facts["examples"]["identical"] == [["n2/1", "Bob/1"]]
    assert facts["examples"]["near"] == [["n3/1", "Eve/1", 1]]


def test_sets_without_names_share_none():
    found = audit(TRAIN, EVALUATION, {}, None)
    assert found.names == ()
    assert found.named == (0, 0)
    assert found.unhashed == (0, 0)


def test_one_file_in_many_places_is_found_everywhere():
    ours = manifest(("a/1", "a", "s"), ("b/1", "b", "s"), ("c/1", "c", "t"))
    theirs = manifest(("d/1", "d", "s"), ("e/1", "e", "s"))
    assert audit(ours, theirs).identical.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_hashes_of_other_images_are_refused():
    with pytest.raises(ValueError, match="2 hashes of 5 training images"):
        audit(TRAIN, EVALUATION, None, None, prints(1, 2), prints(1, 2, 3, 4))
