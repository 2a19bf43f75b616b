"""Text that would exhaust time or memory is refused in one line, quickly; ordinary YAML is read as PyYAML reads it."""

import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml

from grid.spec.bounded_yaml import MAX_BYTES, MAX_DEPTH, load_yaml

ROOT = Path(__file__).resolve().parents[4]


def read(text: str) -> Any:
    return load_yaml(text, lambda line, what: ValueError(f"grid.yaml:{line}: {what}"))[0]


def laughs(first: str, item: str) -> str:
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} {item.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, 30)]
    return "\n".join(lines) + "\n"


HOSTILE = {
    "billion laughs of lists": (laughs("[x, x]", "[{}]"), r"grid.yaml:\d+: more than 100,000 values after aliases"),
    "billion laughs of merges": (laughs("{x: 1}", "{{<<: [{}]}}"), r"grid.yaml:\d+: more than 100,000 values after aliases"),
    "100,001 plain values": ("a: [" + "1," * 100_001 + "]", "grid.yaml:1: more than 100,000 values"),
    "deep flow lists": ("a: " + "[" * 100_000, "grid.yaml:1: nested more than 50 levels deep"),
    "deep flow mappings": ("a: " + "{b: " * 100_000, "grid.yaml:1: nested more than 50 levels deep"),
    "deep block lists": ("- " * 5_000 + "x", "grid.yaml:1: nested more than 50 levels deep"),
    "deep by aliases": ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 90)), "nested more than 50"),
    "a list inside itself": ("a: &a [*a]", r"grid.yaml:1: alias \*a is inside the value that it names"),
    "a mapping inside itself": ("\na: &a {b: {c: *a}}", r"grid.yaml:2: alias \*a is inside"),
    "an integer of 5,000 digits": ("\n\nseed: " + "1" * 5_000, "grid.yaml:3: a number of 5,000 characters"),
    "a hexadecimal bomb": ("seed: 0x" + "f" * 9_000, "grid.yaml:1: a number of 9,002 characters"),
    "a sexagesimal bomb": ("seed: 1" + ":59" * 3_000, "grid.yaml:1: a number of 9,001 characters"),
    "a tagged number": ("seed: !!int '" + "7" * 5_000 + "'", "grid.yaml:1: a number of 5,000 characters"),
    "65 bits": ("seed: 18446744073709551616", "grid.yaml:1: integer 18446744073709551616 does not fit into 64 bits"),
    "no integer": ("a: 1\nseed: !!int abc", "grid.yaml:2: 'abc' is not a valid int"),
    "no truth value": ("seed: !!bool maybe", "grid.yaml:1: 'maybe' is not a valid bool"),
    "no time": ("seed: !!timestamp soon", "grid.yaml:1: 'soon' is not a valid timestamp"),
    "no day": ("a: 2020-99-99", "grid.yaml:1: '2020-99-99' is not a valid timestamp"),
    "no bytes": ("a: !!binary 'é'", "grid.yaml:1: not YAML: failed to convert base64"),
    "a surrogate as an escape": (r'a: "\ud800"', "grid.yaml:(1|None): not "),
    "a surrogate in the text": ("a: 1\nb: \udcff", r"grid.yaml:2: not Unicode text: lone surrogate U\+DCFF"),
    "a long text": ("a: " + "x" * 10_001, "grid.yaml:1: a text of 10,001 characters; at most 10,000"),
    "a long key": ("x" * 1_000 + "y" * 9_001 + ": 1", "grid.yaml:1: "),
    "a large file": ("# " + "x" * MAX_BYTES, "more than 1,048,576 bytes"),
    "a key that is a list": ("? [a, b]\n: 1", "grid.yaml:1: not YAML: found unhashable key"),
    "two documents": ("a: 1\n---\nb: 2", "grid.yaml:2: not YAML: but found another document"),
    "an alias of nothing": ("a: *b", "grid.yaml:1: not YAML: found undefined alias"),
    "an anchor twice": ("a: &x 1\nb: &x 2", "grid.yaml:2: not YAML: found duplicate anchor"),
    "a Python object": ("a: !!python/object/apply:os.system [ls]", "grid.yaml:1: not YAML: could not determine a constructor"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), HOSTILE.values(), ids=HOSTILE)
def test_what_would_exhaust_the_machine_is_refused_in_one_short_line(text: str, complaint: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match=complaint) as refused:
        read(text)
    assert time.process_time() - start < 1
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_refusing_a_bomb_takes_little_memory() -> None:
    tracemalloc.start()
    with pytest.raises(ValueError, match="aliases"):
        read(HOSTILE["billion laughs of lists"][0])
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("file", sorted(ROOT.glob("configs/grids/*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_grid_is_read_as_pyyaml_reads_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert read(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}",  # aliases and merges in moderation
        "a: [" * (MAX_DEPTH // 2 - 1) + "]" * (MAX_DEPTH // 2 - 1),
        "a: [1, -1, 0x1f, 1.5, .inf, 1e-3, 2020-01-01, yes, null, '007', 9223372036854775807]",
        "ä: ✓\nb: |\n  two\n  lines\n",
    ],
)
def test_ordinary_yaml_is_read_as_pyyaml_reads_it(text: str) -> None:
    assert read(text) == yaml.safe_load(text)
