"""Objects that carry their digest."""

import json

import pytest

from grid.ledger.sealed import Damaged, seal, unseal, unsealed


def test_what_is_sealed_is_unsealed() -> None:
    value = {"text": "ä", "list": [1, 2.5, None, True], "nested": {"b": 1, "a": -0.0}}
    for data in (seal(value), seal(value, indent=1)):
        assert unseal(data, "x") == value
        assert json.loads(data)["digest"]


def test_every_flipped_bit_is_damage_or_leaves_the_value_alone() -> None:
    value = {"loss": 0.125, "name": "resnet34", "rows": [1, 20, 300]}
    data = seal(value)
    for place in range(len(data)):
        for bit in range(8):
            flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            try:
                found = unseal(flipped, "x")
            except Damaged:
                continue
            assert {key: found.get(key) for key in value} == value, flipped


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"[]", b"3", b"\xff", b'{"a": 1, "digest": "0"}', b'{"a": NaN, "digest": 1}']
)
def test_what_is_no_sealed_object_is_damage(data: bytes | None) -> None:
    with pytest.raises(Damaged, match="some/key"):
        unseal(data, "some/key")


def test_what_cannot_be_read_can_count_as_empty() -> None:
    assert unsealed(seal({"a": 1}), "a") == {"a": 1}
    assert unsealed(None, "a") == unsealed(b"{", "a") == unsealed(seal({"a": 1}).replace(b"1", b"2"), "a") == {}


def test_equal_objects_can_be_one_in_memory() -> None:
    value = {
        "cells": [{"n": n, "config": {"a": 1, "b": [1, 2]}, "own": {"x": x}} for n, x in enumerate((0.0, -0.0, 1, 1.0, True))]
    }
    found = unseal(seal(value), "x", shared=True)
    assert repr(found) == repr(unseal(seal(value), "x")), "numbers of other types and signs are not taken for equal"
    assert len({id(cell["config"]) for cell in found["cells"]}) == 1
    assert len({id(cell["own"]) for cell in found["cells"]}) == 5
    assert len({id(cell["config"]) for cell in unseal(seal(value), "x")["cells"]}) == 5
