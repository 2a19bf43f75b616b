"""Reads users' YAML within fixed limits, so that no file can exhaust time or memory.

The limits are far above what a grid file needs: 1 MiB of text, 100,000 values after alias expansion, nesting depth 50, 10,000
characters per text, and 64-bit integers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

MAX_BYTES = 2**20
MAX_VALUES = 100_000
MAX_DEPTH = 50
MAX_INTEGER = 2**63 - 1
MAX_TEXT = 10_000  # characters of one scalar
MAX_DIGITS = 40  # digits of a number; longer ones are never converted

_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_KEYS = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")  # `<<` and `=`, which are not plain values
_TEXT = "tag:yaml.org,2002:str"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is about ten times faster

Complain = Callable[[int | None, str], Exception]  # (line or None, error) -> the exception to raise


def load_yaml(text: str, complain: Complain) -> tuple[Any, yaml.Node | None]:
    """The value of one YAML document and its root node, whose marks give line numbers; (None, None) for an empty document.

    Raises:
        The exception made by ``complain``: the text is not YAML, or exceeds a limit. The message is one line.
    """
    if len(text) > MAX_BYTES:
        raise complain(None, f"more than {MAX_BYTES:,} bytes; the limit for YAML is 1 MiB")
    if odd := _SURROGATE.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        raise complain(line, f"not Unicode text: lone surrogate U+{ord(odd[0]):04X}; save the file as UTF-8")
    try:
        _check_size(text, complain)
        loader = _LOADER(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None, None
            _check_scalars(root, loader, complain)
            return loader.construct_document(root), root
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.context if error.problem == "second occurrence" else error.problem or error.context
        raise complain(mark.line + 1 if mark else None, f"not YAML: {_one_line(said)}") from error
    except yaml.YAMLError as error:
        raise complain(None, f"not YAML: {_one_line(error)}") from error


def _check_size(text: str, complain: Complain) -> None:
    """Counts values and depth after alias expansion, without expanding the aliases."""
    sizes: dict[str, tuple[int, int]] = {}  # anchor -> values and depth below it
    open_nodes: list[list[Any]] = []  # anchor, values before it, depth reached within it
    count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        below = 0
        if isinstance(event, yaml.AliasEvent) and event.anchor:
            if event.anchor in [anchor for anchor, _, _ in open_nodes]:
                raise complain(line, f"alias *{event.anchor} is inside the value that it names; write the value out")
            values, below = sizes.get(event.anchor, (1, 0))  # an unknown alias is reported later, by the parser
            count += values
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = (1, 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, count, 0])
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before, reached = open_nodes.pop()
            below = reached - len(open_nodes)
            if anchor:
                sizes[anchor] = (count - before, below)
        if len(open_nodes) + below > MAX_DEPTH:
            raise complain(line, f"nested more than {MAX_DEPTH} levels deep")
        if open_nodes:
            open_nodes[-1][2] = max(open_nodes[-1][2], len(open_nodes) + below)
        if count > MAX_VALUES:
            raise complain(
                line, f"more than {MAX_VALUES:,} values after aliases are expanded; split the file or use fewer aliases"
            )


def _check_scalars(root: yaml.Node, loader: Any, complain: Complain) -> None:
    for node in _scalars(root):
        line = node.start_mark.line + 1
        if len(node.value) > MAX_TEXT:
            raise complain(line, f"a text of {len(node.value):,} characters; at most {MAX_TEXT:,} are read")
        if node.tag == _TEXT:
            if odd := _SURROGATE.search(node.value):
                raise complain(line, f"not Unicode text: lone surrogate U+{ord(odd[0]):04X}")
            continue
        if node.tag in _KEYS:
            continue
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise complain(
                line, f"a number of {len(node.value):,} characters; at most {MAX_DIGITS} are read (quote it if it is text)"
            )
        try:
            value = loader.construct_object(node)
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:  # raised by PyYAML's converters
            kind = node.tag.rpartition(":")[2]
            raise complain(line, f"{node.value!r} is not a valid {kind}; quote it if it is text") from error
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise complain(line, f"integer {node.value} does not fit into 64 bits")


def _scalars(root: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Every scalar once, including keys, in file order."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            yield node
        elif isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in reversed(node.value) for part in reversed(pair))
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(reversed(node.value))


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())[:200]
