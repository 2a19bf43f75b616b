"""Values of a parameter whose tests `make test` leaves out and `make slow` runs."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow(values: Iterable[Any]) -> list[Any]:
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
