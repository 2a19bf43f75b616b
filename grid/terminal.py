"""Where commands print, and the options that many of them have."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

out = Console(width=None if sys.stdout.isatty() else 110)  # a file or pipe has no width of its own
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="print facts as JSON")]
WhereText = Annotated[
    list[str] | None, typer.Option("--where", metavar="AXIS=LEVEL,...", help="only the cells of these levels")
]


def cells_of(number: int) -> str:
    """``1 cell``, ``2 cells``."""
    return f"{number} cell{'s' if number != 1 else ''}"
