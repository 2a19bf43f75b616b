"""A contact sheet, image x cell, as one PNG for papers and slides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grid.report.panel import Band, Group, Panel, panel_png
from grid.report.sheets import Sheet


def sheet_png(sheet: Sheet, study: str) -> bytes:
    """Equal sheets give equal bytes."""
    bands = [Band(f"input\n{inputs.label.replace('=', ': ')}", inputs.tiles) for inputs in sheet.inputs]
    bands += [
        Band(
            strip.row.title.replace(", ", "\n").replace("=", ": "),
            strip.tiles,
            strip.scale,
            strip.refused,
            feet(strip.cosines) or tuple("" if high is None else f"0 to {high:.2g}" for high in strip.highest),
        )
        for strip in sheet.strips
    ]
    return panel_png(Panel(f"{study}: {sheet.title}", _caption(sheet), groups(sheet.images), tuple(bands)))


def groups(images: Sequence[dict[str, Any]]) -> tuple[Group, ...]:
    """Column titles: for pairs, one over both images; for images, their identities."""
    if any(image.get("pair") is None for image in images):
        return tuple(Group(str(image.get("identity", "")), 1) for image in images)
    lefts = images[::2]
    return tuple(Group(f"pair {one['pair']}: {kind(bool(one['same']))}", 2, bool(one["same"])) for one in lefts)


def kind(same: bool) -> str:
    return "genuine" if same else "impostor"


def feet(cosines: Sequence[float | None]) -> tuple[str, ...]:
    return tuple("" if one is None else f"cosine {one:.3f}" for one in cosines)


def _caption(sheet: Sheet) -> str:
    each = any(strip.highest for strip in sheet.strips)
    scales = "each map from 0 to its highest value, given below it" if each else "one scale per row"
    said = [sheet.target, f"layer {', '.join(sheet.layers)}" if sheet.layers else "", scales]
    said.append(sheet.more.split(". ")[0])
    return "; ".join(text for text in said if text)
