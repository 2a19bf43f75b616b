"""The shape of a cluster as text."""

import pytest

from grid.spec.cluster_shape import NodeGroup, checked_shape, parse_shape
from grid.spec.launch_settings import Launch


def test_nodes_gpus_type_and_cores() -> None:
    assert parse_shape("4x8:H100") == (NodeGroup(4, 8, "H100", None),)
    assert parse_shape("1x2/16 + 3x0/64") == (NodeGroup(1, 2, None, 16), NodeGroup(3, 0, None, 64))


@pytest.mark.parametrize("text", ["", "8", "0x4", "4x8:", "4x8:H100/", "4x-1", "4 x 8", "4x8+", "2x0", "2x0:H100/4", "20000x8"])
def test_other_texts_are_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no part of a cluster|nodes without GPUs|has more than"):
        checked_shape(text)


def test_one_shape_has_gpus_of_one_type() -> None:
    for text in ("1x1:H100+1x1:A100", "1x1:H100+1x1"):
        with pytest.raises(ValueError, match="estimate one type at a time"):
            checked_shape(text)
    assert len(parse_shape("1x1:H100+2x8:H100+1x0/4")) == 3


def test_a_grid_file_is_checked_when_it_is_read() -> None:
    assert Launch(cluster="4x8:H100").cluster == "4x8:H100"
    with pytest.raises(ValueError, match="is no part of a cluster"):
        Launch(cluster="large")
