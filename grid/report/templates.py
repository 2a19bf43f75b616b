"""HTML pages from templates: all text is escaped, and pictures are in the page."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from grid.report.text import printable

if TYPE_CHECKING:
    import jinja2


def environment(folder: Path) -> jinja2.Environment:
    """The templates of a folder: values are escaped, control characters made visible, and a missing value is an error."""
    import jinja2
    from markupsafe import Markup

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_url(data: bytes, kind: str = "png") -> str:
    """A file of an image, such as ``png`` or ``jpeg``, as a ``data:`` URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
