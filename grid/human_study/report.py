"""The report of a human study: a page, and the same numbers as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from grid.human_study.analysis import Analysis, Line, Sample, analyze
from grid.human_study.benefit import Contrast
from grid.human_study.export import open_answers
from grid.human_study.figures import bars, curves, scatter
from grid.report.templates import data_url, environment
from grid.report.text import visible
from modules.metrics.paired_tests import Estimate

HERE = Path(__file__).parent


def write_report(bundle: Path, to: Path) -> tuple[Analysis, Path]:
    """Writes ``index.html`` and ``analysis.json``; returns the analysis and the page.

    Raises:
        BadInput: it is no bundle, no participant has joined yet, or a file is damaged.
    """
    design, answers = open_answers(bundle)
    found = analyze(design, answers.all(), answers.joined())
    answers.close()
    to.mkdir(parents=True, exist_ok=True)
    (to / "analysis.json").write_text(json.dumps(record(found), indent=1) + "\n", encoding="utf-8")
    page = to / "index.html"
    page.write_text(html(found), encoding="utf-8")
    return found, page


def record(found: Analysis) -> dict[str, Any]:
    """The analysis as JSON values; accuracies and gains are shares of 1."""
    samples = []
    for sample in found.samples:
        lines = [dataclasses.asdict(line) for line in sample.lines]
        one = {"title": sample.title, "participants": len(sample.judgments.letters), "groups": lines, "trouble": sample.trouble}
        one["benefit"] = None if sample.benefit is None else dataclasses.asdict(sample.benefit)
        one["complementarity"] = None if sample.complement is None else dataclasses.asdict(sample.complement)
        samples.append(one)
    facts = {"study": found.design.name, "rule": found.design.rule, "inclusion": found.design.inclusion.model_dump()}
    finite: dict[str, Any] = _finite({**facts, "network_accuracy": found.network, "joined": found.joined, "samples": samples})
    return finite


def html(found: Analysis) -> str:
    """The page, which needs no network; all text is escaped."""
    both = bool(found.design.same.any() and not found.design.same.all())
    pictures = {}
    for sample in found.samples:
        if sample.lines:
            drawn = (bars, scatter, curves) if both else (bars, scatter)
            pictures[sample.title] = [data_url(draw(found, sample)) for draw in drawn]
    text: str = (
        environment(HERE)
        .get_template("report.html")
        .render(
            found=found,
            pictures=pictures,
            name=pass_name,
            percent=percent,
            points=points,
            contrast=contrast_words,
            verdict=verdict,
        )
    )
    return text


def console_table(found: Analysis) -> list[str]:
    """The main numbers as lines of text."""
    lines = [f"network: {percent(found.network)} of {len(found.design.pairs)} pairs"]
    for sample in found.samples:
        lines.append(f"{sample.title}: {len(sample.judgments.letters)} participants ({sum(found.joined.values())} joined)")
        for line in sample.lines:
            spread = "" if line.deviation is None else f" ± {100 * line.deviation:.2f}"
            paper = f"  (paper {line.paper[0]:.2f} ± {line.paper[1]:.2f})" if line.paper else ""
            title = visible(line.title)
            signal = "" if line.d_prime is None else f"  d' {line.d_prime:.2f}"
            lines.append(f"  {pass_name(line):<3} {title:<18} {100 * line.mean:6.2f}{spread} %{signal}{paper}")
        lines.append(f"  {verdict(sample)}")
    return lines


def pass_name(line: Line) -> str:
    """A and A+, as in the paper."""
    return f"{line.letter}{'+' if line.number == 2 else ''}"


def percent(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{100 * value:.2f} %"


def points(estimate: Estimate) -> str:
    """A gain in points, with its interval."""
    return f"{100 * estimate.value:+.2f} [{100 * estimate.low:+.2f}, {100 * estimate.high:+.2f}]"


def contrast_words(one: Contrast) -> str:
    return f"{one.first} gains {points(one.difference)} points more than {one.second}, p {_p(one.adjusted)} (Holm)"


def verdict(sample: Sample) -> str:
    """The test of the interaction in one sentence."""
    found = sample.benefit
    if found is None:
        return f"No test: {sample.trouble}."
    if found.p is None or found.f is None:
        return "No test: the study has one group." if found.degrees[0] == 0 else "No test: within each group all gain the same."
    said = "gain differently" if found.p < 0.05 else "do not gain significantly differently"
    return (
        f"The groups {said} from the first pass to the second: F({found.degrees[0]}, {found.degrees[1]}) = {found.f:.2f}, "
        f"p {_p(found.p)}."
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _finite(value: Any) -> Any:
    """JSON values, in which a number that is not finite is null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
