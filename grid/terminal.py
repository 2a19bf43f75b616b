"""Where commands print, and the option that all of them have."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

out = Console(width=None if sys.stdout.isatty() else 110)  # a file or pipe has no width of its own
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="print facts as JSON")]
