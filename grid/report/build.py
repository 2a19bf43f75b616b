"""Writes a study's report."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from grid.analysis.analysis import analyze
from grid.analysis.claim_words import claim_records
from grid.analysis.comparisons import MARGIN
from grid.analysis.records import comparison_records, component_records, effect_records
from grid.ledger.study import Study
from grid.report import scores
from grid.report.analysis_files import analysis_json, analysis_markdown, components_latex
from grid.report.attribute_cohorts import cohorts_markdown
from grid.report.attributes import attributes_markdown
from grid.report.attributes import boards as attribute_boards
from grid.report.claims_files import claims_markdown, judged_claims
from grid.report.cluster_sheets import cluster_sheets
from grid.report.ensembles import with_ensembles
from grid.report.figures import KINDS, figures, file_name
from grid.report.hard_pair_faces import hard_pair_faces
from grid.report.hard_pairs import boards as hard_pair_boards
from grid.report.hard_pairs import hard_pair_records, hard_pairs_csv
from grid.report.latex import latex
from grid.report.markdown import markdown
from grid.report.modes import boards, modes_markdown
from grid.report.operating import boards as operating_boards
from grid.report.operating import operating_latex, operating_markdown, operating_records
from grid.report.page import page
from grid.report.pictured import pictured
from grid.report.plots.of_study import plots
from grid.report.replication import replication_json, replication_markdown
from grid.report.score_outcomes import boards as outcome_boards
from grid.report.score_outcomes import outcomes_csv, outcomes_json, outcomes_markdown
from grid.report.score_trust import boards as trust_boards
from grid.report.score_trust import trust_csv, trust_json, trust_markdown
from grid.report.scores_files import scores_csv, scores_json, scores_markdown
from grid.report.searches import searches_json, searches_markdown
from grid.report.sheet_png import sheet_png
from grid.report.sheets import sheets
from grid.report.sweeps import sweeps_markdown
from grid.report.table_csv import results_csv, table_csv
from grid.report.table_json import table_json
from grid.report.text import records_csv
from grid.report.trend_png import trend_png
from grid.report.view import view
from grid.results import rows
from grid.results.combinations import combined
from grid.results.explanation_reader import plain
from grid.results.explanation_scores import explanation_scores
from grid.results.replication import replicates
from grid.results.results import of_rows
from grid.results.score_outcomes import score_outcomes
from grid.results.score_trust import score_trust
from grid.results.searches import searches
from grid.results.trends import trends
from grid.spec.grid_file import BadInput, check_level
from grid.terminal import command


def build(
    study: Study,
    out: Path | None = None,
    margin: float = MARGIN,
    claims: Path | None = None,
    asked: Mapping[str, Collection[str]] | None = None,
) -> Path:
    """Writes index.html, table.md, table.csv, table.tex, results.csv, report.json and sheets (PNG); returns index.html's path.

    With two evaluated cells or more, also analysis.md, comparisons.csv and, where effects can be estimated, effects.csv; with
    claims, claims.md. If explanations are scored, also explanations.md and explanations.csv, of pairs score_outcomes.md and
    .csv, and with ground truth score_trust.md and .csv; if pairs of images are compared, modes.md and operating_points.md; if
    attributes are evaluated, attributes.md; for sweeps of a protocol, sweeps.md; for searches, searches.md; under sequential
    replication, replication.md; for sweeps, numeric axes and networks of several sizes, figures (PNG).

    Everything is first written to a temporary folder and then moved into place, file by file, the page last: a reader never
    sees half a file, and an error leaves the earlier report unchanged. Outdated sheets are removed; other files stay.

    Args:
        study: in its current state; unfinished cells are marked as such.
        out: the folder; by default ``report`` in the study.
        margin: differences below it do not matter: of the tests of equivalence, as a fraction.
        claims: file of claims to judge; by default ``launch.claims`` of the grid file.
        asked: axis -> levels of cells that are compared and have rows in the sheets, even if they are not among the best.

    Raises:
        BadInput: the folder cannot be written, the claims are wrong, or an axis or level is unknown.
        ValueError: the margin is not above 0.
    """
    for axis, levels in (asked or {}).items():
        for level in levels:
            check_level(axis, level, study.axes, f"{study.path}: cells to compare")
    folder = study.path / "report" if out is None else Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".report-", dir=folder))
    except OSError as error:
        why = f"{folder}: the report cannot be written here ({error.strerror})"
        raise BadInput(f"{why}; `{command('facegrid', 'report', study.path)} --to FOLDER` writes it elsewhere") from error
    try:
        absent = _write(study, made, margin, claims, asked or {})
        names = sorted(path.name for path in made.iterdir())
        before = (folder / "report.json").exists()  # without an earlier report, files with these names are somebody else's
        for name in [*(name for name in names if name != "index.html"), "index.html"]:
            os.replace(made / name, folder / name)
        old_files = [path for kind in KINDS for path in folder.glob(f"{kind}-*.png")]
        for old in (*old_files, *(folder / name for name in absent)):
            if (before or out is None) and old.name not in names:
                old.unlink(missing_ok=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder / "index.html"


def _write(study: Study, folder: Path, margin: float, claims: Path | None, asked: Mapping[str, Collection[str]]) -> list[str]:
    """Writes the files; returns the names of those that a report may have, and this one has not."""
    name, axes = study.name, list(study.axes)
    table = with_ensembles(study, rows.table(study))
    analyses = analyze(study, table, margin, asked)
    verdicts = judged_claims(study, table, analyses, claims)
    shown, printed = pictured(table, asked), combined(table)
    found = sheets(study, table.rows, shown)
    pictures: dict[str, bytes] = {}
    for sheet in found:
        pictures[file_name("sheet", plain(sheet.title), pictures)] = sheet_png(sheet, name)
    drawn = [(trend, trend_png(trend, name)) for trend in trends(table)]
    for trend, data in drawn:
        pictures[file_name("trend", trend.title, pictures)] = data
    generated, without = figures(study, table.rows)
    clusters = cluster_sheets(study, table.rows)
    for file, data in {**pictures, **generated, **clusters.files}.items():
        (folder / file).write_bytes(data)
    scored = explanation_scores(study, table.rows)
    compared, decided = score_trust(study, scored), score_outcomes(study, scored)
    tables, trusted, by_decision = scores.tables(scored), trust_boards(compared), outcome_boards(decided)
    definitions, points, recognized = boards(table), operating_boards(table), attribute_boards(table)
    hard = hard_pair_boards(study, table)
    searched, repeated = searches(study), replicates(study, table)
    content = {**table_json(study, table), **analysis_json(analyses), "explanations": scores_json(scored)}
    content |= {"hard_pairs": hard_pair_records(hard)} if hard else {}
    optional = {
        "claims": claim_records(verdicts.judged),
        "searches": searches_json(searched),
        "score_trust": trust_json(compared),
        "score_outcomes": outcomes_json(decided),
        "replication": repeated and replication_json(repeated),
    }
    content |= {key: value for key, value in optional.items() if value}
    html = page(
        study,
        table,
        found,
        shown,
        analyses,
        view(study, shown.rows),
        printed=printed,
        figures=drawn,
        cell_sheets=list(generated),
        cells_without_sheets=without,
        clusters=clusters,
        verdicts=verdicts,
        plots=plots(study, table, analyses),
        scored=tables,
        trusted=trusted,
        outcome_boards=by_decision,
        modes=definitions,
        operating=points,
        attributes=recognized,
        hard_pairs=hard,
        hard_pair_faces=hard_pair_faces(study, table, hard),
        searches=searched,
        replicates=repeated,
    )
    texts = {
        "index.html": html,
        "report.json": json.dumps(content, indent=1) + "\n",
        "results.csv": results_csv(of_rows((one for row in table.rows for one in row.results), axes)),
        "table.md": markdown(printed, name),
        "table.csv": table_csv(printed),
        "table.tex": latex(printed, name),
        "analysis.md": analysis_markdown(analyses, name) if analyses else "",
        "effects.csv": records_csv(effect_records(analyses)),
        "comparisons.csv": records_csv(comparison_records(analyses)),
        "components.csv": records_csv(component_records(analyses)),
        "components.tex": components_latex(analyses, name) if analyses else "",
        "claims.md": claims_markdown(verdicts.judged, name, verdicts.source) if verdicts.judged else "",
        "operating_points.md": operating_markdown(points, name) if points else "",
        "operating_points.csv": records_csv(operating_records(table)),
        "operating_points.tex": operating_latex(points, name) if points else "",
        "hard_pairs.csv": hard_pairs_csv(hard) if hard else "",
        "modes.md": modes_markdown(definitions, name) if definitions else "",
        "attributes.md": attributes_markdown(recognized, name) + cohorts_markdown(recognized) if recognized else "",
        "explanations.md": scores_markdown(tables, name) if scored else "",
        "explanations.csv": scores_csv(scored, axes) if scored else "",
        "score_outcomes.md": outcomes_markdown(by_decision, name) if decided else "",
        "score_outcomes.csv": outcomes_csv(decided, axes) if decided else "",
        "score_trust.md": trust_markdown(trusted, name) if trusted else "",
        "score_trust.csv": trust_csv(compared, axes) if trusted else "",
        "searches.md": searches_markdown(searched, name) if searched else "",
        "replication.md": replication_markdown(repeated, name) if repeated else "",
        "sweeps.md": sweeps_markdown(table, name) if table.sweeps else "",
    }  # without what it is about, a file is empty, and not written
    for file, text in texts.items():
        if text:
            (folder / file).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return [file for file, text in texts.items() if not text]
