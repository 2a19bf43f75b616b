"""Imported by the process that ``forked`` forks from: it fills the caches of what every launch needs for about a second."""

from __future__ import annotations

import io


def _code_digests() -> None:
    """Of what all kinds of stages run, whatever the components of a cell."""
    from grid.plan.code_version import source_digest

    for kind in ("detect_shard", "detect", "pretrain", "trial", "search", "train", "evaluate", "explain", "score"):
        source_digest(kind, [])


def _tick_labels() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    axes.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-3, 1e3))
    axes.figure.savefig(io.BytesIO(), format="svg")


def _templates() -> None:
    from grid.report.page import templates

    page = templates()
    for name in page.list_templates(extensions=["html"]):
        page.get_template(name)


_code_digests()
_tick_labels()
_templates()
