"""The shorthand ``softmax + 0.008 center`` for a weighted sum of losses."""

from __future__ import annotations

import re
from typing import Any

_TERM = re.compile(r"(?:(?P<weight>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\s*\*\s*|\s+))?(?P<name>[A-Za-z_][\w.]*)")
_PLUS = re.compile(r"(?<!\d[eE])\+")  # but not the plus of 1e+3


def weighted_sum(value: dict[str, Any]) -> dict[str, Any]:
    """Expands ``{name: "softmax + 0.008 center"}`` to ``{name: sum, terms: [...]}``; a plain name is returned unchanged.

    Raises:
        ValueError: a term is neither ``name`` nor ``weight name``, or there are keys beside the sum.
    """
    text = value["name"]
    if not re.search(r"[+*\s]", text):
        return value
    if len(value) > 1:
        other = next(key for key in value if key != "name")
        raise ValueError(
            f"loss {text!r} is short for a sum, and {other!r} is a key of one of its terms; "
            "write {name: sum, terms: [{weight: 1, loss: {name: ...}}, ...]}"
        )
    terms = []
    for part in _PLUS.split(text):
        found = _TERM.fullmatch(part.strip())
        if not found:
            raise ValueError(f"loss {text!r} has the term {part.strip()!r}; a sum is written like: softmax + 0.008 center")
        terms.append({"weight": float(found["weight"] or 1), "loss": found["name"]})
    return {"name": "sum", "terms": terms}
