"""The page: one self-contained HTML file that needs no network."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grid.analysis import words
from grid.analysis.analysis import ProtocolAnalysis
from grid.analysis.records import cell_name
from grid.ledger.environments import environments
from grid.ledger.study import Study
from grid.report import (
    analysis_files,
    attribute_cohorts,
    attributes,
    charts,
    claims_files,
    curves,
    hard_pairs,
    modes,
    operating,
    replication,
    score_outcomes,
    score_trust,
    scores,
    searches,
    sheets,
    sweeps,
)
from grid.report.headline import headlines, reason
from grid.report.interactive.chart_data import chart_data
from grid.report.pictured import BUDGET, Pictured
from grid.report.stage_pictures import BUDGET as PICTURES
from grid.report.stage_pictures import galleries
from grid.report.stage_times import times
from grid.report.templates import data_url, environment
from grid.report.training_curves import training_curves
from grid.report.view import View
from grid.results import columns
from grid.results.columns import CROSS_VALIDATED
from grid.results.combinations import grouped
from grid.results.heatmap import colored, jpeg
from grid.results.rows import Row, Table
from grid.spec.levels import other_levels
from grid.spec.yaml_source import flat

if TYPE_CHECKING:
    import jinja2

TILE_BYTES = 3000  # of a tile in a contact sheet, about
HERE = Path(__file__).parent
TABLES = {  # whose titles, notes and fields the templates take
    "analysis": analysis_files, "claims": claims_files, "cohorts": attribute_cohorts, "attributes": attributes, "modes": modes,
    "operating": operating, "outcomes": score_outcomes, "pairs": hard_pairs, "replication": replication, "scores": scores,
    "searches": searches, "sweeps": sweeps, "trust": score_trust, "charts": charts, "columns": columns,
}  # fmt: skip
CHARTS = ("cells", "drawing", "error_rates", "score_rates", "accuracy_cost", "parallel", "learning_curves", "interactions")


@cache
def templates() -> jinja2.Environment:
    """The templates of the page, with their filters; cached, since Jinja compiles them for most of a second."""
    found = environment(HERE)
    found.filters |= {
        "time": _time,
        "cell_name": cell_name,
        "heading": _heading,
        "duration": _duration,
        "image": _image,
        "ramp": _ramp,
        "png": data_url,
        "photographs": _photographs,
        "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
        "three": lambda x: f"{x:.3g}",
    }
    return found


def _photographs(data: bytes) -> str:
    """A PNG file of faces as a ``data:`` URL of a JPEG file, which is a fraction of its size."""
    import cv2

    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return data_url(jpeg(pixels[..., ::-1], 85), "jpeg")


def page(
    study: Study,
    table: Table,
    found: Sequence[sheets.Sheet],
    shown: Pictured,
    analyses: Sequence[ProtocolAnalysis],
    view: View | None,
    **sections: Any,
) -> str:
    """The HTML. All text from grid files, datasets or errors is escaped.

    Args:
        found: the contact sheets.
        shown: the cells whose pictures are in the page.
        sections: what the other sections show, by the names in the templates.
    """
    histories = [curves.history(study, row) for row in table.rows]
    strokes, places = charts.strokes(table), {id(row): number for number, row in enumerate(table.rows)}
    numbers = chart_data(study, table, strokes, histories)
    css, js = parts(numbers is not None, view is not None)
    text: str = (
        templates()
        .get_template("page.html")
        .render(
            sections,
            study=study,
            record=study.record,
            environments=environments(marker for row in table.rows for marker in row.markers.values()),
            table=table,
            levels_of=cells_of(table),
            number_of=lambda row: places.get(id(row)),
            css=css,
            js=js,
            charted=numbers,
            view=view,
            strokes=strokes,
            headlines=headlines(table),
            reason=lambda top: reason(top, analyses),
            sheets=found,
            galleries=galleries(study, shown.rows, left_for_pictures(found, view)),
            more_pictures=shown.words(study.path.name, len(shown.rows), str(study.store)),
            training=training_curves(table, histories),
            common=common([row.cell.config for row in table.rows if row.cell.config]),
            times=times(table),
            folds=_folds(table),
            analyses=analyses,
            words=words,
            tables=TABLES,
        )
    )
    return text


def cells_of(table: Table) -> Callable[[Row], list[int]]:
    """The numbers of the cells that a row of the combined table stands for."""
    places = {id(row): number for number, row in enumerate(table.rows)}
    found = {
        tuple(other_levels(group[0].cell.levels).items()): [places[id(row)] for row in group] for group in grouped(table.rows)
    }
    return lambda row: found.get(tuple(other_levels(row.cell.levels).items()), [])


def left_for_pictures(found: Sequence[sheets.Sheet], view: View | None) -> int:
    """How many bytes the pictures of stages may have, after the contact sheets and the view of explanations."""
    tiles = sum(len(one.tiles) for sheet in found for one in sheet.inputs)
    tiles += sum(len(strip.tiles) for sheet in found for strip in sheet.strips if strip.tiles is not None)
    return min(PICTURES, max(0, BUDGET - tiles * TILE_BYTES - (len(view.data) if view else 0)) * 3 // 4)  # in base64


def parts(charted: bool, viewed: bool) -> tuple[str, str]:
    """(style, script) of the page: with charts, which include their library, and with the view of explanations."""
    styles = ["page.css"] + ["interactive/charts.css"] * charted + ["page_view.css"] * viewed
    library = [f"interactive/{name}.js" for name in ("echarts/echarts", *CHARTS, "start")]
    scripts = ["page.js"] + library * charted + ["page_view.js"] * viewed
    style, script = ("\n".join((HERE / name).read_text(encoding="utf-8") for name in names) for names in (styles, scripts))
    return style, script


def common(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Dotted keys and JSON values that all cells have in common."""
    texts = [
        {key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for key, value in flat(config)}
        for config in configs
    ]
    return [(key, text) for key, text in (texts[0] if texts else {}).items() if all(one.get(key) == text for one in texts)]


def _folds(table: Table) -> str:
    """The number of folds in brackets, such as `` (10 folds)``; empty if unknown."""
    found = {
        len(entry["folds"])
        for row in table.rows
        for one in row.metrics.values()
        if (entry := one.get(CROSS_VALIDATED) or {}).get("folds")
    }
    return f" ({' or '.join(map(str, sorted(found)))} folds)" if found else ""


def _heading(title: str) -> str:
    """A column title that breaks after a comma rather than within ``cross-validated`` or ``0.1 %``."""
    return title.replace(" %", "\u00a0%").replace("-", "\u2011")


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.0f} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _image(tile: np.ndarray) -> str:
    return data_url(jpeg(tile), "jpeg")


def _ramp(signed: bool) -> str:
    """The color map as a CSS gradient, bottom to top."""
    colors = np.rint(colored(np.linspace(0, 1, 17), signed)).astype(int)
    return "linear-gradient(to top, " + ", ".join(f"rgb({r} {g} {b})" for r, g, b in colors) + ")"
