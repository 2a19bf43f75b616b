"""A matplotlib figure as a PNG file, and texts of users in it."""

from __future__ import annotations

import io
from typing import Any


def figure_png(figure: Any, **options: Any) -> bytes:
    """The file; equal figures give equal bytes. ``options`` are those of ``savefig``, such as ``dpi``."""
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None}, **options)
    return data.getvalue()


def literal(text: str) -> str:
    """The text as it is: a dollar sign begins no formula."""
    return text.replace("$", r"\$")
