import numpy as np
import pytest

from datamodules.evaluation_sets.pairs import Pairs


def pairs(**changes):
    arrays = {"left": np.array([0, 1]), "right": np.array([2, 3]), "same": np.array([True, False]), "fold": np.array([0, 1])}
    return Pairs(**(arrays | changes))


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        pairs(fold=np.array([0]))


@pytest.mark.parametrize("name", ["left", "right", "same", "fold"])
def test_every_array_counts_in_the_digest(name):
    assert pairs(**{name: getattr(pairs(), name)[::-1].copy()}).digest != pairs().digest


def test_the_digest_follows_from_values_not_from_types():
    assert pairs(left=np.array([0, 1], np.int32)).digest == pairs().digest
    assert len(pairs()) == 2
