import json

import numpy as np
import pytest

from datamodules.manifest import Manifest
from datamodules.near_duplicates import Prints
from datamodules.overlap_audit import audit
from datamodules.shared_subjects import SharedSubjects


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
SHARED = SharedSubjects((), (("n1", "José_Ruiz", "joseruiz"),), (3, 3))
NO_SUBJECT = SharedSubjects((), (), (0, 0))


@pytest.fixture
def found():
    return audit(TRAIN, EVALUATION, SHARED, prints(1, 2, 4, 0xFF00, 0), prints(0xF, 4, 0xFF01, 0), bits=1)


def test_shared_names_files_and_images_are_found(found):
    assert found.identical.tolist() == [[2, 1]]
    assert found.near.tolist() == [[3, 2]]  # the identical files are not named again
    assert found.distance.tolist() == [1]
    assert found.unhashed == (1, 1)
    assert not found.clean


def test_it_says_which_rows_to_remove(found):
    assert found.rows().tolist() == [0, 1, 2, 3]
    assert found.rows(["names"]).tolist() == [0, 1]
    assert found.rows(["near"]).tolist() == [3]
    assert found.rows(side="evaluation").tolist() == [0, 1, 2]
    kept = TRAIN.subset(sorted(set(range(5)) - set(found.rows().tolist())))
    assert audit(kept, EVALUATION, NO_SUBJECT).clean


def test_the_report_is_json_with_counts_and_examples(found):
    facts = json.loads(json.dumps(found.facts()))
    assert facts["shared_names"] == facts["identical_pairs"] == facts["near_pairs"] == 1
    assert facts["train_rows"] == {"identities": 0, "names": 2, "identical": 1, "near": 1}
    assert facts["named_subjects"] == [3, 3]
    assert facts["examples"]["identical"] == [["n2/1", "Bob/1"]]
    assert facts["examples"]["near"] == [["n3/1", "Eve/1", 1]]


def test_a_shared_identity_is_overlap_with_all_its_images():
    ours, theirs = manifest(("a/1", "a", "1"), ("a/2", "a", "2"), ("b/1", "b", "3")), manifest(("a/1", "a", "4"))
    found = audit(ours, theirs, SharedSubjects(("a",), (), (0, 0)))
    assert not found.clean
    assert (found.rows().tolist(), found.rows(side="evaluation").tolist()) == ([0, 1], [0])
    assert found.facts()["shared_identities"] == 1
    assert found.facts()["examples"]["identities"] == ["a"]


def test_images_are_compared_only_where_they_were_hashed():
    found = audit(TRAIN, EVALUATION, NO_SUBJECT)
    assert (len(found.near), found.unhashed) == (0, (0, 0))


def test_one_file_in_many_places_is_found_everywhere():
    ours = manifest(("a/1", "a", "s"), ("b/1", "b", "s"), ("c/1", "c", "t"))
    theirs = manifest(("d/1", "d", "s"), ("e/1", "e", "s"))
    assert audit(ours, theirs, NO_SUBJECT).identical.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_hashes_of_other_images_are_refused():
    with pytest.raises(ValueError, match="2 hashes of 5 training images"):
        audit(TRAIN, EVALUATION, NO_SUBJECT, prints(1, 2), prints(1, 2, 3, 4))
